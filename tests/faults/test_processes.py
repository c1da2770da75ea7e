"""`worker --processes 4` on Kafka: one of the four is killed, and the other three don't notice."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.murmur2 import partition_for
from tests.end_to_end.running import URL, Sluice, aggregator
from tests.waiting import until

pytestmark = pytest.mark.kafka
PARTITIONS = 4
BACK_S = 150.0  # two cores for all that runs here
AFTER_S = 2.0  # records that come once all are back
REBALANCE_MS = 10_000  # Kafka's own rebalance on a machine that busy; far from a session timeout
AT_ONCE = aggregator(
    keyed_by=["account"],
    flush={
        "by": "timeout",
        "timeout": {"duration": {"hours": 1}},
        "conditions": {"field": "count", "op": ">=", "value": 1},
    },
)
ACCOUNTS = {
    partition_for(name.encode(), PARTITIONS): name for name in (f"a{n}" for n in range(40, 0, -1))
}
"""partition -> an account that lives there."""


@pytest.fixture
def four(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[Sluice]:
    """A supervisor of four workers that are back well before the group gives them up."""
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "90",
        "SLUICE_COMMIT_INTERVAL_S": "0.5",
    }
    made = Sluice(tmp_path, ("worker", "--role", "all", "--processes", "4"), environ)
    try:
        made.start()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()
        made.close()


def owners(at: Sluice) -> dict[int, str]:
    """partition -> the worker that has it, once each has one."""
    answer = at.get("/api/overview")
    assert answer.status == 200, answer
    workers = answer.body["workers"]
    found = {number: w["id"] for w in workers if w["state"] == "ready" for number in w["shards"]}
    assert len(found) == PARTITIONS == len(set(found.values())), workers
    return found


def joined(four: Sluice) -> int:
    """How many of the workers have their share of the input, and would be known again."""
    noted = [file.read_text() for file in four.folder.rglob("member.json")]
    return sum(".usage" in text for text in noted)


def pid_of(worker: str) -> int:
    """The process id in a worker's id."""
    return int(worker.rsplit("-", 2)[1])


def latencies(
    four: Sluice, disturbed: Callable[[], None], back: Callable[[], bool]
) -> dict[int, list[int]]:
    """Partition -> ms between each record and its flush, while `disturbed` and until `back`."""
    settings = Settings(stream=four.environ["SLUICE_STREAM"])
    prefix = four.environ["SLUICE_TOPIC_PREFIX"]

    async def work() -> dict[int, list[int]]:
        log = open_log(settings, SystemClock())
        await log.start()
        try:
            tps = [(f"{prefix}aggregates", p) for p in range(PARTITIONS)]
            at = await log.end_offsets(tps)
            sent, stop_at, begun = 0, 0.0, time.monotonic()
            found: dict[int, list[int]] = {p: [] for p in range(PARTITIONS)}
            looking: asyncio.Task[bool] | None = None

            async def take() -> None:
                for tp in tps:
                    piece = await log.read(*tp, at[tp], wait_s=0.02)
                    at[tp] = piece.next_offset
                    for _, stamp, _, body, _ in piece.items:
                        record: dict[str, Any] = json.loads(body or b"")
                        source = record["explain"]["sources"][0]["partition"]
                        found[source].append(stamp - millis(record["meta"]["firstEvent"]))

            await asyncio.to_thread(disturbed)
            while not stop_at or time.monotonic() < stop_at:
                assert time.monotonic() < begun + BACK_S
                for partition, account in ACCOUNTS.items():
                    value = json.dumps({"account": account, "bytes": 1}).encode()
                    row = (account.encode(), value, None, ())
                    await log.append(f"{prefix}usage", partition, [row])
                sent += 1
                if looking is None:
                    looking = asyncio.create_task(asyncio.to_thread(back))
                elif looking.done() and not stop_at:
                    stop_at = time.monotonic() + AFTER_S if looking.result() else 0.0
                    looking = None
                await take()
            while min(map(len, found.values())) < sent:
                assert time.monotonic() < begun + BACK_S, {p: len(f) for p, f in found.items()}
                await take()
            return found
        finally:
            await log.stop()

    return asyncio.run(work())


def millis(text: str) -> int:
    """Epoch milliseconds of an instant as the product prints it."""
    from domain.aggregation.instants import parse_instant

    at = parse_instant(text)
    assert at is not None
    return at


def test_one_of_four_processes_killed_is_back_as_the_member_it_was_and_the_others_go_on(
    four: Sluice,
) -> None:
    assert four.apply(AT_ONCE).body["in_force"]
    until(lambda: joined(four) == PARTITIONS, BACK_S, "the group has the new topic")
    before = until(lambda: owners(four), BACK_S)
    mine = pid_of(four.get("/api/overview").body["workers"][0]["id"])
    assert mine in set(map(pid_of, before.values()))
    victim = next(worker for worker in before.values() if pid_of(worker) != mine)
    (lost,) = (number for number, worker in before.items() if worker == victim)
    killed = [0.0, 0.0]

    said = len(four.err)

    def kill() -> None:
        killed[0] = time.monotonic()
        os.kill(pid_of(victim), signal.SIGKILL)

    def back() -> bool:
        try:
            now = owners(four)
        except AssertionError:
            return False
        if victim in now.values():
            return False
        killed[1] = killed[1] or time.monotonic()
        return True

    found = latencies(four, kill, back)
    after = until(lambda: owners(four), BACK_S)
    longest = {number: max(ms) for number, ms in found.items()}
    others = max(ms for number, ms in longest.items() if number != lost)
    print(f"back after {killed[1] - killed[0]:.1f} s; its own partition waited "
          f"{longest[lost] / 1000:.1f} s, the others' {others / 1000:.2f} s at most")  # fmt: skip
    assert {n: w for n, w in after.items() if n != lost} == {
        n: w for n, w in before.items() if n != lost
    }, "no partition of the others moved"
    assert pid_of(after[lost]) != pid_of(victim)
    assert "rebalancing" not in four.err[said:]
    assert others < REBALANCE_MS
    assert len(URL.findall(four.out)) == 5, "one of them was started again"
    assert re.search(r"worker \d ended with -9, again in 1 s", four.err)
