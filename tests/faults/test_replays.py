"""kill -9 at random while dead letters are replayed, again and again, and records come in."""

import itertools
import json
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest

from connectors.streams.base import Item
from tests.faults.cluster import Cluster, running
from tests.faults.oracle import Expected, check_totals_replayed, expected, group_of, loads
from tests.faults.process import NoAnswer
from tests.faults.usage import BY_ACCOUNT, BY_PRODUCT, INPUT
from tests.waiting import until

BYTES = [{"field": "bytes", "operation": "sum"}, {"field": "*", "operation": "count"}]
PRICE = {"field": "price", "operation": "sum"}
STRICT: list[dict[str, Any]] = [BY_PRODUCT, {**BY_ACCOUNT, "aggregate": [*BYTES, PRICE]}]
MENDED: list[dict[str, Any]] = [{**document, "aggregate": BYTES} for document in STRICT]
SIZE = 200  # records of a batch, of which two or three are refused


def campaign(cluster: Cluster, kills: int) -> None:
    workers = 1 if cluster.embedded else 2
    cluster.documents = STRICT
    with running(cluster, workers):
        cluster.feed(10, SIZE)
        kill_some(cluster, kills // 3, "before")
        cluster.documents = [*STRICT, *MENDED]
        cluster.apply()
        kill_some(cluster, kills - kills // 3, "after")
        cluster.ready()
        replay(cluster, "last")
        totals = cluster.settle()
        replayed(cluster)
        totals = cluster.settle()
        for number, process in list(cluster.workers.items()):
            assert process.stop() == 0, f"worker {number} ended badly, see {process.log}"
            del cluster.workers[number]
        check(cluster, totals)
        assert cluster.kills == kills


def kill_some(cluster: Cluster, kills: int, command: str) -> None:
    """Feeds, asks for replays and kills, each at random."""
    rng = cluster.rng
    for n in range(kills):
        number = rng.choice(list(cluster.workers))
        if rng.random() < 0.7:
            cluster.ready()
        cluster.feed(rng.randrange(1, 3), SIZE)
        for _ in range(rng.randrange(1, 3)):
            replay(cluster, f"{command}-{n // 2}")
        if rng.random() < 0.5:
            cluster.say(number, SIZE)
        cluster.kill(number)
        cluster.start(number)


def replay(cluster: Cluster, command: str) -> None:
    def ask() -> bool:
        process = cluster.rng.choice(list(cluster.workers.values()))
        return isinstance(process.ask("replay", command=command), int)

    until(ask, 60.0, "a replay asked for")


def replayed(cluster: Cluster) -> None:
    """Waits until no session's answer is outstanding."""

    def look() -> bool:
        shards = cluster.shards()
        assert len(shards) == 4
        assert not any(told["unread"] or told["unsent"] for told in shards.values())
        return True

    for _ in range(3):  # an Ask leads to a Take, and that to an answer
        try:
            until(look, 60.0)
        except NoAnswer:
            cluster.ready()


def check(cluster: Cluster, totals: dict[str, dict[str, Any]]) -> None:
    log = cluster.read(INPUT)
    wanted = expected(MENDED, log)
    applied = check_letters(wanted, every(cluster, "dead-letters"))
    assert sum(applied.values()) > 10
    check_totals_replayed(wanted, totals, applied)
    check_flushes(wanted, every(cluster, "aggregates"))


def every(cluster: Cluster, topic: str) -> list[Item]:
    return list(itertools.chain.from_iterable(cluster.read(topic).values()))


def check_letters(wanted: Expected, letters: list[Item]) -> Counter[str]:
    """Asserts that what a mended document takes was replayed, once, and nothing else; returns how
    many by aggregator.
    """
    told: dict[str, dict[str, Any]] = {}
    done: dict[str, set[bytes]] = {}
    for _, _, _, value, _ in letters:
        letter = json.loads(value or b"")
        told.setdefault(letter["id"], letter)
        if "replayed_at" in letter:
            done.setdefault(letter["id"], set()).add(value or b"")
    assert all(len(contents) == 1 for contents in done.values()), "a letter was replayed twice"
    stay = {
        (each["partition"], each["offset"], each["aggregator"], each["reason"])
        for each in told.values()
        if each["id"] not in done
    }
    assert stay == wanted.letters
    return Counter(told[letter_id]["aggregator"] for letter_id in done)


def check_flushes(wanted: Expected, flushed: list[Item]) -> None:
    contents: dict[str, bytes] = {}
    counts: Counter[Any] = Counter()
    sums: dict[Any, Fraction] = {}
    sequences: dict[Any, list[int]] = {}
    for _, _, _, value, _ in flushed:
        flush = loads(value or b"")
        known = contents.get(flush["id"])
        assert known in (None, value), "an id with two contents"
        if known is not None:
            continue
        contents[flush["id"]] = value or b""
        group = group_of(flush)
        counts[group] += flush["meta"]["count"]
        sums[group] = sums.get(group, Fraction()) + Fraction(flush["values"]["sum_bytes"] or 0)
        sequences.setdefault(group, []).append(flush["sequence"])
        sources = flush["explain"]["sources"]
        assert sum(source["count"] for source in sources) == flush["meta"]["count"]
    assert counts == {
        group: sum(map(len, found.values())) for group, found in wanted.offsets.items()
    }
    assert sums == {group: found["bytes"] for group, found in wanted.sums.items()}
    for group, found in sequences.items():
        assert sorted(found) == list(range(1, len(found) + 1)), group


@pytest.mark.parametrize(
    "cluster",
    ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.faults])],
    indirect=True,
)
def test_kills_while_letters_are_replayed_lose_and_repeat_nothing(cluster: Cluster) -> None:
    campaign(cluster, 6)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
def test_30_kills_while_letters_are_replayed(cluster: Cluster, seed: int) -> None:
    cluster.reseed(seed)
    campaign(cluster, 30)
