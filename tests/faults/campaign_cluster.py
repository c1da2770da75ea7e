"""Workers of campaigns on one stream and one pair of stores, under a trial clock that stands."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.stores.opening import open_documents
from connectors.streams.murmur2 import partition_for
from domain.aggregation.instants import parse_instant
from tests.faults import campaign_process
from tests.faults.cluster import START_S, Cluster
from tests.faults.usage import PARTITIONS
from tests.waiting import until

QUIET_S = 900.0  # for what thirty thousand FDDs have to do at one instant, on a busy machine
LONGEST_PAUSE_S = 0.3
ROLES = "campaigns,execute,retrigger"


@dataclass(repr=False)
class CampaignCluster(Cluster):
    """A cluster with the roles of campaigns. `at_ms`: where the clock stands.

    `meddle` is called while there is work to do, so that it may kill what it likes; it leaves as
    many workers as there were.
    """

    module: str = campaign_process.__name__
    meddle: Callable[["CampaignCluster"], None] = lambda _cluster: None
    at_ms: int = 0
    events: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._pauses, self._pause_s = threading.Event(), 0.01
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = self.folder / "clock"
        self.settings = {
            "clock": f"trial:{self.clock}",
            "tick_interval_s": "0.02",
            "cluster_secret": "between us",
            **self.settings,
        }

    def move_clock(self, instant: datetime) -> None:
        """Time stands there from now on."""
        text = instant.isoformat().replace("+00:00", "Z")
        part = self.clock.with_suffix(".part")
        part.write_text(text + "\n")
        part.replace(self.clock)
        self.at_ms = parse_instant(text) or 0

    def start_workers(self, count: int) -> None:
        """Starts so many, each with all the roles."""
        for number in range(count):
            self.start(number, roles=ROLES)

    def again(self, number: int) -> None:
        """kill -9 of one, which begins anew."""
        self.kill(number)
        self.start(number, roles=ROLES)

    def tell(self, request_id: str, command: str, body: dict[str, Any]) -> str:
        """A command on `campaign-events`; its id. It may be taken twice."""
        self.events += 1
        ident = f"command-{self.events}"
        event = {"kind": "command", "id": ident, "command": command, "request_id": request_id,
                 "actor": "a", "reason": "r", "body": body}  # fmt: skip
        row = [partition_for(request_id.encode(), PARTITIONS), request_id, json.dumps(event)]
        until(lambda: self._ask_any("append", topic="campaign-events", rows=[row]), START_S)
        return ident

    def ready(self) -> None:
        """Waits until every worker has the documents."""

        def look() -> bool:
            revisions = [w.ask("inputs")["revision"] for w in self.workers.values()]
            assert revisions == [len(self.documents)] * len(revisions), revisions
            return True

        until(look, START_S, "documents in force")

    def settle_at(self, instant: datetime) -> None:
        """Moves the clock; returns when all that happens at that instant has happened."""
        self.move_clock(instant)
        self.wait_quiet()

    def wait_quiet(self) -> None:
        """See `settle_at`."""
        self.meddle(self)
        self._pause_s = 0.01
        until(self._is_quiet, QUIET_S, f"nothing was left to do at {self.clock.read_text()}")

    def _is_quiet(self) -> bool:
        try:
            first = self._commits()
            return first == self._commits()
        except AssertionError:
            self._pauses.wait(self._pause_s)  # questions cost the workers time that they need
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            raise

    def _commits(self) -> dict[str, Any]:
        commits: dict[str, Any] = {}
        for process in self.workers.values():
            told = process.ask("quiet", at_ms=self.at_ms, timeout_s=60)
            assert not told["busy"], told["busy"][:3]
            commits |= told["commits"]
        assert len(commits) == PARTITIONS, sorted(commits)
        return commits

    def figures(self, day: str) -> dict[str, Any]:
        """`campaigns` by id, and the `tabs` of all shards added up."""
        campaigns: dict[str, Any] = {}
        tabs: dict[str, dict[str, int]] = {}
        for process in self.workers.values():
            told = process.ask("figures", day=day)
            campaigns |= told["campaigns"]
            tabs |= told["tabs"]
        names = next(iter(tabs.values()))
        added = {name: sum(each[name] for each in tabs.values()) for name in names}
        return {"campaigns": campaigns, "tabs": added}

    def verify(self, day: str) -> int:
        """Counts the FDDs of the day anew, in every shard; how many."""
        return sum(p.ask("verify", day=day, timeout_s=120) for p in self.workers.values())

    def values(self, topic: str, partition: int) -> Iterator[dict[str, Any]]:
        """Everything on a partition of a public topic; embedded: when no worker lives."""
        return (json.loads(item[3] or b"") for item in self.read(topic, [partition])[partition])

    def stored(self, request_id: str) -> Counter[tuple[str, str, str | None]]:
        """How many FDDs of a request the store of documents has, by (date, state, reason)."""
        folder = Path(self._environ(self.folder / "worker-0")["SLUICE_DATA_DIR"])

        async def ask() -> Counter[tuple[str, str, str | None]]:
            documents = open_documents(self.settings.get("documents", ""), folder)
            found: Counter[tuple[str, str, str | None]] = Counter()
            try:
                for each in await documents.counts(request_id):
                    found[each.date, each.state, each.reason] += each.count
            finally:
                await documents.close()
            return found

        return asyncio.run(ask())

    def stop_all(self) -> None:
        """Stops the workers in good order."""
        for number, process in list(self.workers.items()):
            assert process.stop() == 0, f"worker {number} ended badly, see {process.log}"
            del self.workers[number]


@contextmanager
def running(cluster: CampaignCluster, workers: int, begin: datetime) -> Iterator[CampaignCluster]:
    """The cluster with so many workers and its documents in force; nothing is left at the end."""
    try:
        cluster.move_clock(begin)
        cluster.start_workers(workers)
        cluster.apply()
        yield cluster
    finally:
        for process in cluster.started:
            process.kill()
