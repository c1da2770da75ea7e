"""Questions about figures as requests put them, and answers as rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from app.metrics_backend import Asked, BadRange, Figured, TooManyBuckets
from app.web import masked
from app.web.context import BACKEND
from app.web.problems import ProblemError, bad_parameter, not_found
from domain.aggregation.zones import known_zone
from domain.metrics.grains import GRAINS, OVERLAYS

FIGURES = ("value", "count", "sum", "min", "max", "last", "mean", "stddev", "partial")
WHERE = "where."


def asked_of(request: web.Request, metric: str | None = None) -> Asked:
    """The question of a request; `metric` when its path names it."""
    query = request.query
    metric = query.get("metric", "") if metric is None else metric
    if not metric:
        raise bad_parameter("metric", metric, "the name of a metric")
    grain = next((g for g in GRAINS if g == query.get("grain", "day")), None)
    if grain is None:
        raise bad_parameter("grain", query["grain"], f"one of {', '.join(GRAINS)}")
    overlay = next((o for o in OVERLAYS if o == query.get("overlay")), None)
    if overlay is None and query.get("overlay"):
        raise bad_parameter("overlay", query["overlay"], f"one of {', '.join(OVERLAYS)}")
    zone = query.get("tz", "")
    if zone and not known_zone(zone):
        raise bad_parameter("tz", zone, "an IANA time zone like Europe/Stockholm")
    group = tuple(filter(None, dict.fromkeys(query.getall("group", []))))
    names = {name for name in query if name.startswith(WHERE)}
    where = {name.removeprefix(WHERE): query.getall(name) for name in sorted(names)}
    return Asked(
        metric, grain, query.get("from", ""), query.get("to", ""), group, where, overlay, zone
    )


async def figured(request: web.Request, asked: Asked, what: str = "The question") -> Figured:
    """The answer. Raises ProblemError (400, 422); `what` is for the sentence."""
    try:
        return _masked(request, await request.app[BACKEND].figures(asked))
    except BadRange as error:
        raise bad_parameter(error.name, error.value, error.expected) from error
    except TooManyBuckets as error:
        raise ProblemError(422, "too-many-buckets", f"{what} is for {error}.") from error


async def check_names(request: web.Request, asked: Asked, found: Figured) -> None:
    """Refuses an answer that says nothing because of a name that there is not. Raises ProblemError
    (400, 404)."""
    named = [("group", name) for name in asked.group]
    named += [(WHERE + name, name) for name in asked.where]
    if found.series and not named:
        return
    known = await request.app[BACKEND].metric_dimensions(asked.metric, {name for _, name in named})
    if known is None:
        advice = "GET /api/metrics lists those that have values."
        raise not_found(f"metric {asked.metric!r}", advice)
    for parameter, name in named:
        if known.closed and name not in known.names:
            listed = ", ".join(sorted(known.names))
            expected = f"one of {listed}" if listed else "one: the metric has none"
            raise bad_parameter(parameter, name, f"a dimension of {asked.metric}, {expected}")


def _masked(request: web.Request, found: Figured) -> Figured:
    """The answer as who asks may see it."""
    masker = masked.masker_of(request)
    if masker is None:
        return found
    series = [{**each, "dimensions": masker.value("", each["dimensions"])} for each in found.series]
    return replace(found, series=series)


def header(asked: Asked) -> list[str]:
    """The columns of an answer as a table."""
    beside = [f"overlay_{name}" for name in ("start", "value", "difference", "ratio")]
    return [*asked.group, "start", *FIGURES, *(beside if asked.overlay else [])]


def rows(asked: Asked, found: Figured) -> Iterator[Sequence[Any]]:
    """A row for each bucket of each series."""
    for series in found.series:
        names = [series["dimensions"][name] for name in asked.group]
        for point in series["points"]:
            over = point["overlay"].values() if asked.overlay else ()
            yield [*names, point["start"], *(point[name] for name in FIGURES), *over]
