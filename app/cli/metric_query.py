"""`sluice metrics query METRIC`: the figures of a metric by bucket."""

import argparse

from app.cli.command import Action, Context
from domain.errors import UsageError
from domain.metrics.grains import GRAINS, OVERLAYS

SHOWN = ("start", "value", "count", "min", "max", "mean", "partial")
BESIDE = ("start", "value", "difference", "ratio")


def add_actions(action: Action) -> None:
    """Declares them."""
    query = action("query", "the figures of a metric, bucket by bucket", _query)
    query.add_argument("metric", metavar="METRIC")
    query.add_argument("--grain", choices=GRAINS, default="day")
    query.add_argument("--from", dest="from_", metavar="DATE", help="a date or an instant")
    query.add_argument("--to", metavar="DATE", help="the end, exclusive (now)")
    query.add_argument("--group", metavar="DIMENSION", action="append", default=[])
    query.add_argument("--where", metavar="DIMENSION=VALUE", action="append", default=[])
    query.add_argument("--overlay", choices=OVERLAYS, help="beside the bucket so long before")
    query.add_argument("--tz", metavar="ZONE", help="an IANA zone (that of the source)")


def _query(arguments: argparse.Namespace, context: Context) -> int:
    asked: dict[str, object] = {
        "metric": arguments.metric,
        "grain": arguments.grain,
        "group": arguments.group,
    }
    for name, value in (("from", arguments.from_), ("to", arguments.to), ("tz", arguments.tz),
                        ("overlay", arguments.overlay)):  # fmt: skip
        if value is not None:
            asked[name] = value
    for each in arguments.where:
        name, sign, value = each.partition("=")
        if not name or not sign:
            raise UsageError(f"--where {each}: expected DIMENSION=VALUE")
        asked.setdefault(f"where.{name}", [])
        held = asked[f"where.{name}"]
        if isinstance(held, list):
            held.append(value)
    found = context.client.get("/api/metrics/query", asked)
    if context.out.json:
        context.out.document(found)
        return 0
    beside = arguments.overlay is not None
    columns = [*arguments.group, *SHOWN, *(f"overlay {name}" for name in BESIDE if beside)]
    rows = [
        [
            *(series["dimensions"][name] for name in arguments.group),
            *(point[name] for name in SHOWN),
            *(point["overlay"][name] for name in BESIDE if beside),
        ]
        for series in found["series"]
        for point in series["points"]
    ]
    context.out.table(columns, rows, f"{arguments.metric} has no values")
    return 0
