"""A real worker in a process of its own, to be killed: `python -m tests.faults.worker_process`.

Settings come from SLUICE_…. It answers questions of the test, a line of JSON each way (see
`Answers`), begins afresh when the worker was fenced or lost its stream, as `app.running` does, and
ends with its standard input.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from agents import aggregate
from agents.chunks import Parcel, encode_parcel
from agents.replay_messages import Ask, encode, home_of
from app.testing import kill_switch
from app.worker import Worker
from config.settings import Settings, resolve
from connectors.streams.base import Row, StreamUnavailable
from domain.aggregation.flush import to_json
from domain.errors import Fenced, SluiceError
from tables.layout import OUTBOX
from tests.agents.replaying import letter

STOP_S = 30.0  # a worker that takes longer to stop hangs
AFRESH_S = 0.5  # before the stream is tried again


def stopper(told: str) -> Callable[[int], None]:
    """What stops this process (SIGSTOP) when a commit passes step STEP the N-th time: "STEP:N"."""
    step, _, left = (int(word) if word.isdigit() else 0 for word in told.partition(":"))

    def passed(at: int) -> None:
        nonlocal left
        left -= at == step
        if at == step and left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

    return passed


def in_turn() -> None:
    """Every other process folds all that it can in columns, where real batches have thousands of
    keys: each goes on with the rows of the others.
    """
    if os.getpid() % 2:
        vars(aggregate).update(MANY_KEYS=0, LEAST_KEYS=1)


class Runner:
    """Runs one worker, and a new one when that was fenced or lost its stream; `failures` says what
    ended them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._steps = (kill_switch(os.environ), stopper(os.environ.get("SLUICE_TEST_STOP", "")))
        self.failures: list[str] = []
        self.worker: Worker | None = None

    def _on_step(self, step: int) -> None:
        for passed in self._steps:
            passed(step)

    async def run(self) -> int:
        """The exit code: 0 stopped, 1 failed."""
        while True:
            worker = Worker(
                self._settings,
                os.environ.get("SLUICE_TEST_ROLES", "route,aggregate").split(","),
                instance_id=os.environ.get("SLUICE_TEST_MEMBER"),
                on_step=self._on_step,
            )
            try:
                await worker.start()
                self.worker = worker
                await worker.wait()
            except SluiceError as error:
                worker.failure = error
            self.worker = None
            async with asyncio.timeout(STOP_S):
                await worker.stop()
            if worker.failure is None:
                return 0
            self.failures.append(repr(worker.failure))
            traceback.print_exception(worker.failure)
            if not isinstance(worker.failure, Fenced | StreamUnavailable):
                return 1
            if isinstance(worker.failure, StreamUnavailable):
                loop = asyncio.get_running_loop()
                loop.call_later(AFRESH_S, (again := asyncio.Event()).set)
                await again.wait()


class Answers:
    """What the process is asked for: {"ask": a method's name, …} is answered with its result."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def serve(self) -> None:
        """Answers until the standard input ends, in order."""
        reader = asyncio.StreamReader(limit=1 << 26)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            asked = json.loads(line)
            number, name = asked.pop("number"), asked.pop("ask")
            try:
                answer = {"answer": await getattr(self, name)(**asked)}
            except (SluiceError, OSError) as error:
                answer = {"error": repr(error)}
            sys.stdout.buffer.write(to_json({"number": number, **answer}) + b"\n")
            sys.stdout.buffer.flush()

    def _worker(self) -> Worker:
        if self._runner.worker is None:
            raise SluiceError(f"no worker runs: {self._runner.failures[-1:]}")
        return self._runner.worker

    async def append(self, topic: str, rows: list[Any]) -> int:
        """Appends [partition, key, value] to a public topic; how many."""
        worker = self._worker()
        by_partition: dict[int, list[Row]] = {}
        for partition, key, value in rows:
            row: Row = (None if key is None else key.encode(), value.encode(), None, ())
            by_partition.setdefault(partition, []).append(row)
        name = worker.names.topic(topic)
        await asyncio.gather(
            *(worker.log.append(name, partition, part) for partition, part in by_partition.items())
        )
        return len(rows)

    async def replay(self, command: str) -> int:
        """Asks for a replay of every letter there is on the topic, replayed or not; how many."""
        worker = self._worker()
        asked = 0
        for partition in range(worker.settings.partitions):
            offset, end = 0, 1
            while offset < end:
                piece = await worker.log.read(worker.names.topic("dead-letters"), partition, offset)
                offset, end = piece.next_offset, piece.end_offset
                for item in piece.items:
                    told = letter(json.loads(item[3] or b""))
                    message = encode(Ask(told, command, worker.clock.now_ms()))
                    parcel = encode_parcel(Parcel(0, [], [], replays=[message]))
                    home = home_of(told.id, worker.settings.partitions)
                    row: Row = (None, parcel, None, ())
                    await worker.log.append(worker.names.sessions_in, home, [row])
                    asked += 1
        return asked

    async def failures(self) -> list[str]:
        """What ended the workers of this process so far."""
        return self._runner.failures

    async def inputs(self) -> dict[str, Any]:
        """`revision` of the documents, and topic/partition -> records not yet taken apart."""
        worker = self._worker()
        engine, names = worker.engine, worker.names
        inputs = {names.topic(name) for name in engine.documents.inputs()}
        mine = [tp for tp in engine.assigned if tp[0] in inputs]
        ends = await worker.log.end_offsets(mine)
        positions = engine.intakes.positions
        waiting = {
            f"{topic}/{partition}": end - positions.get((names.public(topic), partition), -1)
            for (topic, partition), end in ends.items()
        }
        return {"revision": engine.documents.revision, "waiting": waiting}

    async def sinks(self) -> dict[str, int]:
        """sink/partition -> records that it has not come to yet."""
        found = {}
        for _, line in self._worker().sinks.lines():
            end, place = await line.feed.end(), line.place
            left = end if place is None else end - place.next
            found[f"{line.sink.name}/{line.kit.partition}"] = left
        return found

    async def sink_counts(self) -> dict[str, dict[str, int]]:
        """sink/partition -> what it has counted there."""
        return {
            f"{line.sink.name}/{line.kit.partition}": {}
            if line.place is None
            else asdict(line.place.counts)
            for _, line in self._worker().sinks.lines()
        }

    async def shards(self, check: bool = False) -> dict[str, Any]:
        """shard -> its `epoch`, records not yet `read`, outputs not `sent`, `totals`.

        With `check` its rows are added up, and compared with the totals it keeps.
        """
        worker = self._worker()
        engine = worker.engine
        ends = await worker.log.end_offsets(
            [(worker.names.sessions_in, number) for number in engine.shards.owned]
        )
        found = {}
        for number, processor in engine.shards.open_ones().items():
            shard = processor.shard
            assert shard.changelog is not None
            if check:
                async with engine.shards.use(number):
                    shard.check()
            found[str(number)] = {
                "epoch": shard.changelog.epoch,
                "unread": ends[worker.names.sessions_in, number] - engine.read.get(number, -1),
                "unsent": sum(1 for _ in shard.store.scan(OUTBOX, b"p")),
                "totals": {name: each.as_json(name) for name, each in shard.totals.items()},
            }
        return found


async def main(answers: type[Answers] = Answers) -> int:
    """Runs until it is killed, told to stop, or left alone."""
    in_turn()
    runner = Runner(resolve().settings)
    work = asyncio.create_task(runner.run())
    talk = asyncio.create_task(answers(runner).serve())
    await asyncio.wait((work, talk), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        talk.result()
        os._exit(1)  # whoever started it is gone
    talk.cancel()
    return work.result()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
