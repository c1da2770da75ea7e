"""Group commit: what waits to be written is written together, in one transaction."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor

from connectors.streams.base import TP
from connectors.streams.embedded.appends import Append, Commit, Outcome, Write, write_all
from connectors.streams.embedded.database import Database

# A transaction stays below some 10 MB of usual records, so that it doesn't hold up readers.
GROUP_ROWS = 100_000


class Writer:
    """The queue of writes of one log. Belongs to one event loop.

    `appended` is called on that loop with the partitions that have grown.
    """

    def __init__(
        self, database: Database, thread: Executor, appended: Callable[[Iterable[TP]], None]
    ) -> None:
        self._database = database
        self._thread = thread
        self._appended = appended
        self._waiting: list[Write] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, write: Write) -> None:
        """Queues a write behind those before it; its `done` tells when it is durable."""
        self._waiting.append(write)
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def drain(self) -> None:
        """Returns when all that was put is written."""
        while self._task is not None:
            await asyncio.wait((self._task,))

    async def _write(self) -> None:
        try:
            while group := self._next_group():
                outcomes = await self._outcomes(group)
                grown = {
                    write.partition.tp
                    for write, outcome in zip(group, outcomes, strict=True)
                    if isinstance(write, Append) and isinstance(outcome, tuple)
                }
                self._appended(grown)
                for write, outcome in zip(group, outcomes, strict=True):
                    _settle(write, outcome)
        finally:
            self._task = None

    def _next_group(self) -> list[Write]:
        rows = 0
        for index, write in enumerate(self._waiting):
            rows += len(write.rows) if isinstance(write, Append) else len(write.next_offsets)
            if rows > GROUP_ROWS and index > 0:
                group, self._waiting = self._waiting[:index], self._waiting[index:]
                return group
        group, self._waiting = self._waiting, []
        return group

    async def _outcomes(self, group: Sequence[Write]) -> Sequence[Outcome]:
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(self._thread, write_all, self._database, group)
        await asyncio.wait((written,))
        error = written.exception()
        # whatever it is goes to those who wait, who would else wait for ever
        return written.result() if error is None else [error] * len(group)


def _settle(write: Write, outcome: Outcome) -> None:
    if write.done.done():
        return  # who waited has been cancelled; what was written stays
    if isinstance(outcome, BaseException):
        write.done.set_exception(outcome)
    elif isinstance(write, Append) and outcome is not None:
        write.done.set_result(outcome)
    elif isinstance(write, Commit):
        write.done.set_result(None)
