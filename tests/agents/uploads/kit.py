"""Uploads on a disk of their own, with a stream that may break, and what a shard makes of it."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.uploads.folder import Folder
from agents.uploads.uploads import Asked, Taken, Uploads
from domain.campaigns.document import Flow, Simulated, WorkingTime

NOW_MS = 1_762_146_000_000  # 2025-11-03T05:00:00Z, 10:30 in Kolkata
FLOW = Flow(
    name="reminder",
    timezone="Asia/Kolkata",
    country="IN",
    working_time=WorkingTime(9 * 60, 21 * 60),
    channels=10,
    lease_ms=120_000,
    executor="simulated",
    simulated=Simulated(seconds=(5, 60)),
    max_slots_per_day=3,
)
DESCRIPTION = {"flow": "reminder", "slots": ["10:00-12:00"]}


class Killed(BaseException):
    """The process ends here."""


class Stream:
    """Takes events, as JSON; `break_at` counts them, and is raised before or after the nth."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.break_at: int | None = None
        self.after = False
        self.count = 0

    async def send(self, request_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            broken = self.count == self.break_at
            self.count += 1
            if broken and not self.after:
                raise Killed
            assert event["request_id"] == request_id
            self.events.append(json.loads(json.dumps(event)))
            if broken:
                raise Killed


class Shard:
    """What a shard keeps of the events of one request: each record once."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.records: dict[int, tuple[str, dict[str, str], int | None]] = {}
        self.figures: dict[str, Any] = {}
        self.ended = False
        by_id: dict[str, Any] = {}
        for event in events:
            assert event == by_id.setdefault(event["id"], event), "one id, two contents"
            body = event["body"]
            if event["command"] == "upload":
                self.begun = body
            for record_no, *row in body.get("rows", ()):
                if record_no > max(self.records, default=0):
                    self.records[record_no] = tuple(row)
            if event["command"] in ("rows", "rows_end"):
                self.figures = {name: body[name] for name in FIGURES}
            self.ended |= event["command"] == "rows_end"


FIGURES = ("accepted", "rejected", "duplicates_seen", "progress")


async def body(content: bytes, piece: int = 1_000) -> AsyncIterator[bytes]:
    """The bytes, in pieces."""
    for at in range(0, len(content), piece):
        yield content[at : at + piece]


def asked(**changes: Any) -> Asked:
    """How the tests' upload is asked for; description's members among the changes."""
    found = {**DESCRIPTION, **changes.pop("description", {})}
    given = {"filename": "f.csv", "actor": "ada", "reason": "", "key": "k", "now_ms": NOW_MS}
    return Asked(found, **{**given, **changes})


class Home:
    """The folder of a worker, and its runs."""

    def __init__(self, path: Path, stream: Stream | None = None) -> None:
        self.folder = Folder(path)
        self.stream = stream or Stream()
        self.failures: list[BaseException] = []

    def run(self, steps: Callable[[Uploads], Awaitable[Any]]) -> Any:
        """Runs `steps` with a worker's uploads, from its start to its stop."""

        async def main() -> Any:
            uploads = Uploads(self.folder, self.stream.send, _flow, self.failures.append)
            await uploads.start()
            try:
                return await steps(uploads)
            finally:
                await uploads.stop()

        return asyncio.run(main())

    def upload(self, content: bytes, **changes: Any) -> Taken:
        """Takes a file and reads it to its end (or to what breaks it)."""

        async def steps(uploads: Uploads) -> Taken:
            spool = await uploads.spool(body(content))
            try:
                taken = await uploads.take(spool, asked(**changes))
            finally:
                spool.close()
            await uploads.read_to_end(taken.request_id)
            return taken

        found: Taken = self.run(steps)
        return found

    def go_on(self, request_id: str) -> None:
        """Starts again and reads to the end."""
        self.run(lambda uploads: uploads.read_to_end(request_id))

    @property
    def shard(self) -> Shard:
        """What a shard has of the events so far."""
        return Shard(self.stream.events)


async def _flow(name: str) -> Flow | None:
    return FLOW if name == FLOW.name else None


def table(*rows: Sequence[str], columns: Sequence[str] = ("number", "name")) -> bytes:
    """A CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


def number(n: int) -> str:
    """The n-th number."""
    return f"+9198{n:08}"
