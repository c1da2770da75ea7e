"""`sluice metrics rebuild [SOURCE…]`: the rollups made again from the archive; waits."""

import argparse
from typing import Any

from app.cli.command import Action, Context
from app.cli.http import segment
from domain.errors import SluiceError

WAIT_S = 20.0  # of one look
RETRY_S = 10.0  # a server that is busy or restarts
COLUMNS = ("source", "state", "records", "changed", "dropped", "told", "detail")


class RebuildFailed(SluiceError):
    """Some could not be made again (exit 1)."""

    def __init__(self, failed: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"source {one['source']}: {one['detail']}" for one in failed))


def add_actions(action: Action) -> None:
    """Declares it."""
    made = action("rebuild", "make the rollups again from the archive, and wait", _rebuild)
    made.add_argument("names", metavar="SOURCE", nargs="*", help="(all)")


def _rebuild(arguments: argparse.Namespace, context: Context) -> int:
    names = arguments.names or [
        one["name"] for one in context.client.get("/api/metrics/sources")["items"]
    ]
    found = [_waited(context, name) for name in names]
    if context.out.json:
        context.out.document({"items": found})
    else:
        rows = [[one[name] for name in COLUMNS] for one in found]
        context.out.table(list(COLUMNS), rows, "no sources")
    failed = [one for one in found if one["state"] == "failed"]
    if not arguments.names:  # a source that has fetched nothing yet has nothing to be made of
        failed = [one for one in failed if "has nothing of source" not in one["detail"]]
    if failed:
        raise RebuildFailed(failed)
    return 0


def _waited(context: Context, name: str) -> dict[str, Any]:
    path = f"/api/metrics/sources/{segment(name)}"
    client = context.client
    found: dict[str, Any] = client.request(
        "POST", f"{path}/rebuild", body=b"", retry_for_s=RETRY_S, wait_for_server=False
    ).json()
    while found["state"] == "running":
        target = f"{path}/rebuilds/{segment(found['id'])}"
        found = client.request(
            "GET", target, query={"wait": WAIT_S}, timeout_s=WAIT_S + 30, retry_for_s=RETRY_S
        ).json()
    return found
