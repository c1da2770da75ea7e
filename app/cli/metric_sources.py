"""`sluice metrics sources|fetch|test|compact`."""

import argparse
from typing import Any

from app.cli.command import Action, Context
from app.cli.http import segment
from app.cli.output import json_bytes
from domain.errors import SluiceError, UsageError

WAIT_S = 20.0  # of one look at a fetch
RETRY_S = 10.0  # a server that is busy or restarts
DAY_MS = 86_400_000


class FetchFailed(SluiceError):
    """A fetch that was waited for ended badly (exit 1)."""

    def __init__(self, source: str, detail: str, status: int | None) -> None:
        self.status = status
        told = "" if status is None or str(status) in detail else f" (status {status})"
        super().__init__(f"source {source}: {detail}{told}")


def add_actions(action: Action) -> None:
    """Declares them."""
    action("sources", "list the sources, how far each is and what is wrong", _sources)
    fetched = action("fetch", "fetch a source now, and wait until that is done", _fetch)
    fetched.add_argument("name", metavar="NAME")
    fetched.add_argument("--from", dest="from_", metavar="DATE", help="fetch again from here")
    fetched.add_argument("--to", metavar="DATE", help="to before this date or instant")
    tried = action("test", "make one call and show what would be stored", _test)
    tried.add_argument("name", metavar="NAME")
    joined = action("compact", "join small files of past days in the archive", _compact)
    joined.add_argument("names", metavar="SOURCE", nargs="*", help="(all)")


def _sources(_: argparse.Namespace, context: Context) -> int:
    found = context.client.get("/api/metrics/sources")
    if context.out.json:
        context.out.document(found)
        return 0
    columns = ["name", "connector", "last_fetch", "next_run", "running", "last_error"]
    rows = [[one[name] for name in columns] for one in found["items"]]
    context.out.table(columns, rows, "no sources")
    return 0


def _fetch(arguments: argparse.Namespace, context: Context) -> int:
    if (arguments.from_ is None) != (arguments.to is None):
        raise UsageError("--from and --to belong together")
    body = {} if arguments.from_ is None else {"from": arguments.from_, "to": arguments.to}
    done = _waited(context, arguments.name, "fetch", body)
    if context.out.json:
        context.out.document(done)
    elif done["state"] == "done":
        context.out.text(f"records {done['records']:,}, pages {done['pages']:,}")
    return _ended(arguments.name, done)


def _test(arguments: argparse.Namespace, context: Context) -> int:
    done = _waited(context, arguments.name, "test", {})
    out = context.out
    if out.json:
        out.document(done)
    elif done["state"] == "done":
        out.text(f"{done['records']:,} records in the first page; nothing was stored")
        for each in done["sample"]:
            out.text()
            out.fields({"key": each["key"], "ts": each["ts"], **each["attributes"]})
    return _ended(arguments.name, done)


def _waited(context: Context, name: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/metrics/sources/{segment(name)}"
    client = context.client
    answer = client.request(
        "POST", f"{path}/{what}", body=json_bytes(body), retry_for_s=RETRY_S, wait_for_server=False
    )
    found: dict[str, Any] = answer.json()
    while found["state"] not in ("done", "failed"):
        target = f"{path}/fetches/{segment(found['id'])}"
        found = client.request(
            "GET", target, query={"wait": WAIT_S}, timeout_s=WAIT_S + 30, retry_for_s=RETRY_S
        ).json()
    return found


def _ended(name: str, done: dict[str, Any]) -> int:
    if done["state"] == "failed":
        raise FetchFailed(name, done["detail"], done["status"])
    return 0


def _compact(arguments: argparse.Namespace, context: Context) -> int:
    from app.source_parts import open_archive

    archive = open_archive(context.settings)
    known = archive.sources()
    for name in arguments.names:
        if name not in known:
            raise UsageError(f"the archive at {archive.where} has nothing of source {name!r}")
    today_ms = context.clock.now_ms() // DAY_MS * DAY_MS
    fewer = {name: archive.compact(name, today_ms) for name in arguments.names or known}
    if context.out.json:
        context.out.document({"items": [{"source": n, "fewer": f} for n, f in fewer.items()]})
    else:
        context.out.table(["source", "files fewer"], list(fewer.items()), "the archive is empty")
    return 0
