"""Workers on one stream: fed, disturbed, and in the end compared with the oracle."""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from config.clock import SystemClock
from config.settings import resolve
from connectors.streams import open_log
from connectors.streams.base import Item
from domain.aggregation.totals import PLACES, SUM_PLACES
from tests.faults import worker_process
from tests.faults.oracle import check_answers, check_flushes, check_letters, check_totals, expected
from tests.faults.process import NoAnswer, Process
from tests.faults.usage import DOCUMENTS, INPUT, PARTITIONS, Sent, Usage
from tests.waiting import until

START_S = 60.0  # two cores for all that runs here
SETTLE_S = 90.0
ALL = range(PARTITIONS)


@dataclass(repr=False)
class Cluster:
    """See the module. `workers` are the processes by number; each number has a folder for good.

    `looked_after`: a worker that ended by itself is started again, as a service manager does.
    """

    stream: str
    folder: Path
    app_id: str
    seed: int = 1
    documents: list[dict[str, Any]] = field(default_factory=lambda: DOCUMENTS)
    settings: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    looked_after: bool = False
    module: str = worker_process.__name__
    workers: dict[int, Process] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)
    kills: int = 0
    touched: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.reseed(self.seed)
        self.embedded = self.stream.startswith("embedded")

    def reseed(self, seed: int) -> None:
        """Other records, and other disturbances."""
        self.rng = random.Random(seed)
        self.usage = Usage(seed)

    # Workers

    def start(self, number: int = 0, **disturbed: str) -> Process:
        """Starts a worker in the folder of that number, `kill`ed or `stop`ped at "STEP:N".

        `member` makes it a static member of the group; `roles` are all by default.
        """
        folder = self.folder / f"worker-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        environ = {f"SLUICE_TEST_{how.upper()}": when for how, when in disturbed.items()}
        process = Process(environ | self._environ(folder), folder / "log", self.module)
        self.workers[number] = process
        self.started.append(process)
        return process

    def _environ(self, folder: Path) -> dict[str, str]:
        found = {
            "stream": self.stream,
            "data_dir": str(folder / "data"),
            "app_id": self.app_id,
            "topic_prefix": "" if self.embedded else f"{self.app_id}.",
            "partitions": str(PARTITIONS),
            "session_timeout_s": "3",
            "commit_interval_s": "0.3",
            "tick_interval_s": "0.1",
            "batch_records": "100",
            "cache_rows": "30",
            "state_memory_bytes": str(4 << 20),
            **self.settings,
        }
        return self.environ | {f"SLUICE_{name.upper()}": value for name, value in found.items()}

    def kill(self, number: int) -> None:
        """kill -9"""
        self.workers.pop(number).kill()
        self.kills += 1

    def apply(self) -> None:
        """Puts the documents in force, on every worker that runs."""
        rows = [
            [
                0,
                f"{each['kind']}/{each['name']}",
                json.dumps({"kind": each["kind"], "name": each["name"], "document": each}),
            ]
            for each in self.documents
        ]
        until(lambda: self._ask_any("append", topic="config", rows=rows), START_S)
        self.ready()

    def ready(self) -> None:
        """Waits until every worker has the documents and each shard an owner that can work."""

        def look() -> bool:
            revisions = [w.ask("inputs")["revision"] for w in self.workers.values()]
            assert revisions == [len(self.documents)] * len(revisions), revisions
            assert len(self.shards()) == PARTITIONS, f"shards {sorted(self.shards())}"
            return True

        until(look, START_S, "documents in force and shards owned")

    def _ask_any(self, ask: str, **details: Any) -> Any:
        for number, process in list(self.workers.items()):
            if self.looked_after and process.dead:
                process.kill()
                self.start(number)
        alive = [process for process in self.workers.values() if not process.dead]
        if not alive:
            raise NoAnswer("no worker is alive")
        return self.rng.choice(alive).ask(ask, **details)

    # Records

    def feed(self, batches: int, size: int = 60) -> None:
        """Appends records through whichever workers are alive; those not acknowledged again."""
        for _ in range(batches):
            self.put(self.usage.batch(size))

    def command(self) -> None:
        """Gives an operator's command; one that isn't acknowledged is given again."""
        rows = [self.usage.command()]
        until(partial(self._ask_any, "append", topic="config", rows=rows), START_S, "command taken")

    def put(self, rows: list[Sent]) -> None:
        """Appends these through any worker that is alive."""
        until(partial(self._ask_any, "append", topic=INPUT, rows=rows), START_S, "records taken")

    def offer(self, number: int = 0, size: int = 60) -> bool:
        """Appends through one worker; True when it is dead, NoAnswer when it dies meanwhile."""
        process = self.workers[number]
        return process.dead or not process.ask("append", topic=INPUT, rows=self.usage.batch(size))

    def feed_through(self, number: int, size: int = 60) -> None:
        """Appends through one worker, until that has acknowledged it."""
        rows = self.usage.batch(size)
        append = partial(self.workers[number].ask, "append", topic=INPUT, rows=rows)
        until(append, START_S, f"records taken by worker {number}")

    def say(self, number: int, size: int = 60) -> None:
        """Appends through one worker, which needn't live to acknowledge it."""
        self.workers[number].say("append", topic=INPUT, rows=self.usage.batch(size))

    # What came of it

    def shards(self, check: bool = False) -> dict[str, Any]:
        """shard -> what its owner tells; a worker that doesn't answer has none."""
        found: dict[str, Any] = {}
        for process in self.workers.values():
            for number, told in process.ask("shards", check=check).items():
                if number not in found or found[number]["epoch"] < told["epoch"]:
                    found[number] = told
        return found

    def settle(self) -> dict[str, dict[str, Any]]:
        """Waits until everything was applied, has flushed and is out; returns control totals."""

        def all_routed() -> bool:
            waiting: dict[str, int] = {}
            for process in self.workers.values():
                waiting |= process.ask("inputs")["waiting"]
            assert len(waiting) == PARTITIONS, waiting
            assert not any(waiting.values()), waiting
            return True

        def all_flushed() -> dict[str, Any]:
            all_routed()
            shards = self.shards()
            assert len(shards) == PARTITIONS
            for number, told in shards.items():
                left = {name: each["count"]["open"] for name, each in told["totals"].items()}
                assert not told["unread"], f"shard {number} unread {told['unread']}"
                assert not told["unsent"], f"shard {number} unsent {told['unsent']}"
                assert not any(left.values()), f"shard {number} open {left}"
            return shards

        until(all_routed, SETTLE_S)
        until(all_flushed, SETTLE_S)
        return added_up(self.shards(check=True))

    def check(self) -> int:
        """Waits for the end, stops the workers, and compares all there is with the oracle; returns
        the number of records.
        """
        totals = self.settle()
        for number, process in list(self.workers.items()):
            assert process.stop() == 0, f"worker {number} ended badly, see {process.log}"
            del self.workers[number]
        log = self.read(INPUT)
        wanted = expected(self.documents, log)
        flushed = list(itertools.chain.from_iterable(self.read("aggregates").values()))
        audit = list(itertools.chain.from_iterable(self.read("aggregates.audit").values()))
        deleted = [item for item in audit if b'"kind":"command"' not in (item[3] or b"")]
        answers = [item for item in audit if item not in deleted]
        check_totals(wanted, totals, deleted)
        check_flushes(wanted, flushed, deleted, answers)
        self.touched = check_answers(answers, flushed, deleted)
        letters = list(itertools.chain.from_iterable(self.read("dead-letters").values()))
        check_letters(wanted, log, letters)
        return sum(map(len, log.values()))

    def read(self, topic: str, partitions: Iterable[int] = ALL) -> dict[int, list[Item]]:
        """All records of a public topic by partition; embedded: when no worker lives."""
        environ = self._environ(self.folder / "worker-0")
        settings = resolve(environ=environ).settings

        async def all_of_it() -> dict[int, list[Item]]:
            log = open_log(settings, SystemClock())
            await log.start()
            try:
                name = environ["SLUICE_TOPIC_PREFIX"] + topic
                found: dict[int, list[Item]] = {}
                for partition in partitions:
                    items, offset = found.setdefault(partition, []), 0
                    while True:
                        piece = await log.read(name, partition, offset)
                        items += piece.items
                        offset = piece.next_offset
                        if offset >= piece.end_offset:
                            break
                return found
            finally:
                await log.stop()

        return asyncio.run(all_of_it())


def added_up(shards: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Control totals over all shards; `balanced` when each shard's are."""
    added: dict[str, dict[str, Any]] = {}
    for told in shards.values():
        for name, each in told["totals"].items():
            known = added.setdefault(
                name, {"count": dict.fromkeys(PLACES, 0), "sums": {}, "balanced": True}
            )
            known["balanced"] = known["balanced"] and each["balanced"]
            for place, number in each["count"].items():
                known["count"][place] += number
            for shown, sums in each["sums"].items():
                into = known["sums"].setdefault(shown, dict.fromkeys(SUM_PLACES, 0))
                for place, value in sums.items():
                    into[place] += value
    return added


@contextmanager
def running(cluster: Cluster, workers: int = 1) -> Iterator[Cluster]:
    """The cluster with so many workers and its documents in force; nothing is left at the end."""
    try:
        for number in range(workers):
            cluster.start(number)
        cluster.apply()
        yield cluster
    finally:
        for process in cluster.started:
            process.kill()
