"""Faust's parts without a stream: an app, and a consumer that hands out what a test gives it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from faust.types.tuples import TP

from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Item, Slice
from connectors.streams.faust_app import App, make_app
from connectors.streams.faust_consumer import BatchingConsumer
from domain.clock import FixedClock

USAGE = TP("usage", 0)


def offline_app(folder: Path) -> App:
    """An app that is never started; nothing listens at its address. Made in a running loop."""
    settings = Settings(stream="kafka://127.0.0.1:1", data_dir=folder)
    clock = FixedClock(0)
    return make_app(settings, open_log(settings, clock), clock, group="g")


def piece(first: int, count: int, next_offset: int | None = None) -> Slice:
    """A slice of `count` dense records from `first` on."""
    items: list[Item] = [(o, 0, b"k", b"v%d" % o, ()) for o in range(first, first + count)]
    following = first + count if next_offset is None else next_offset
    return Slice(items, following, following)


class Scripted(BatchingConsumer):
    """Hands out the slices in `script`; notes commits in `commits` and what went on in `story`.

    A `slow` fetch takes until it is told to return early.
    """

    def __init__(self, app: App, *script: tuple[TP, Slice]) -> None:
        self.script = list(script)
        self.commits: list[dict[TP, int]] = []
        self.story: list[str] = []
        self.committed_before: dict[TP, int] = {}
        self.accepts_commits = True
        self.slow = False

        async def nothing(*_: object) -> None:
            self.story.append("the app's callback")

        super().__init__(app.transport, nothing, nothing, nothing)
        self.resume_partitions({USAGE})

    async def fetch(self, room: Mapping[TP, int], timeout: float) -> list[tuple[TP, Slice]]:
        taken = [(tp, piece) for tp, piece in self.script if tp in room]
        self.script = [entry for entry in self.script if entry not in taken]
        if self.slow:
            await self._freed.wait()
        return taken

    async def batches(self) -> list[Any]:
        """What one round of Faust's drain loop gets."""
        return [message async for _, message in self.getmany(0.01)]

    def assignment(self) -> set[TP]:
        return {USAGE, TP("usage", 1)}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        self.story.append("commit")
        if self.accepts_commits:
            self.commits.append(dict(offsets))
        return self.accepts_commits

    async def seek_to_committed(self) -> Mapping[TP, int]:
        self.story.append("seek")
        return self.committed_before

    async def _seek(self, partition: TP, offset: int) -> None:
        self.story.append(f"seek {partition.partition} to {offset}")

    async def end_offsets(self, tps: set[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 7)

    # -- what Faust asks for, and no test uses

    async def subscribe(self, topics: Iterable[str]) -> None: ...

    async def create_topic(self, *args: Any, **kwargs: Any) -> None: ...

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any: ...

    def _to_message(self, tp: TP, record: Any) -> Any: ...

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def position(self, tp: TP) -> int | None: ...

    async def earliest_offsets(self, *partitions: TP) -> Any: ...

    async def highwaters(self, *partitions: TP) -> Any: ...

    def highwater(self, tp: TP) -> int:
        return 0

    def topic_partitions(self, topic: str) -> int | None: ...

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> Any: ...

    def verify_recovery_event_path(self, now: float, tp: TP) -> None: ...
