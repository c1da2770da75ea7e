"""Everything at once: operators' commands, dead-letter replays, a signed webhook that misbehaves
and files, while workers are killed at random. Each record is counted once, each flush has one
content, and what targets have is what was flushed.
"""

import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from connectors.streams.base import Item
from tests.connectors.sinks.billing import SECRET, Billing, Call, signature
from tests.faults.cluster import SETTLE_S, Cluster, running
from tests.faults.oracle import check_answers, check_totals_replayed, expected, group_of, loads
from tests.faults.test_replays import MENDED, SIZE, STRICT, check_letters, replay, replayed
from tests.faults.test_sinks import ANSWERS, serving
from tests.faults.usage import INPUT, PARTITIONS
from tests.waiting import until


def sinks(billing: Billing, out: Path) -> list[dict[str, Any]]:
    retry = {"first": "10ms", "most": "100ms"}
    http = {"url": billing.url, "secret": "HOOK", "timeout": "2s"}
    files = {"path": str(out), "rotate": {"records": 20, "seconds": 1}}
    return [
        {"kind": "sink", "name": "hook", "http": http, "retry": retry},
        {"kind": "sink", "name": "files", "files": files},
    ]


def campaign(cluster: Cluster, kills: int) -> None:
    rng = cluster.rng
    billing, out = Billing(misbehaving(rng.randrange(1 << 30))), cluster.folder / "out"
    cluster.usage.documents = STRICT
    cluster.settings |= {"test_roles": "route,aggregate,sinks"}
    cluster.environ["HOOK"] = SECRET
    with serving(billing):
        cluster.documents = [*STRICT, *sinks(billing, out)]
        with running(cluster, 1 if cluster.embedded else 2):
            cluster.feed(4, SIZE)
            kill_some(cluster, kills // 3, "before")
            cluster.documents = [*cluster.documents, *MENDED]
            cluster.apply()
            kill_some(cluster, kills - kills // 3, "after")
            cluster.ready()
            replay(cluster, "last")
            cluster.settle()
            replayed(cluster)
            totals = cluster.settle()
            told = until(lambda: delivered(cluster), SETTLE_S, "sinks have everything")
            for number, process in list(cluster.workers.items()):
                assert process.stop() == 0, f"worker {number} ended badly, see {process.log}"
                del cluster.workers[number]
            check(cluster, totals)
            check_sinks(cluster, told, billing, out)
            assert cluster.kills == kills


def misbehaving(seed: int) -> Any:
    rng = random.Random(seed)

    def behave(_call: Call) -> object:
        answer = rng.choice(ANSWERS)
        return web.Response(status=429, headers={"Retry-After": "0"}) if answer == 429 else answer

    return behave


def kill_some(cluster: Cluster, kills: int, replay_name: str) -> None:
    """Feeds, commands, asks for replays and kills, each at random."""
    rng = cluster.rng
    for n in range(kills):
        number = rng.choice(list(cluster.workers))
        if rng.random() < 0.6:
            cluster.ready()
        cluster.feed(rng.randrange(1, 3), SIZE)
        for _ in range(rng.randrange(4)):
            cluster.command()
        if rng.random() < 0.7:
            replay(cluster, f"{replay_name}-{n // 2}")
        if rng.random() < 0.5:
            cluster.say(number, SIZE)
        cluster.kill(number)
        cluster.start(number)


def delivered(cluster: Cluster) -> dict[str, Counter[str]]:
    """sink -> what its partitions count together, when none has anything left to do."""
    left: dict[str, int] = {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for process in cluster.workers.values():
        left |= process.ask("sinks")
        for name, told in process.ask("sink_counts").items():
            counts[name.partition("/")[0]].update(told)
    assert len(left) == 2 * PARTITIONS, left
    assert not any(left.values()), left
    return counts


def every(cluster: Cluster, topic: str) -> list[Item]:
    return list(itertools.chain.from_iterable(cluster.read(topic).values()))


def check(cluster: Cluster, totals: dict[str, dict[str, Any]]) -> None:
    """Totals, flushes, deletions, answers and letters against the oracle."""
    wanted = expected(MENDED, cluster.read(INPUT))
    applied = check_letters(wanted, every(cluster, "dead-letters"))
    flushed, audit = every(cluster, "aggregates"), every(cluster, "aggregates.audit")
    answers = [item for item in audit if b'"kind":"command"' in (item[3] or b"")]
    deleted = [item for item in audit if item not in answers]
    assert sum(applied.values()) > 5
    check_totals_replayed(wanted, totals, applied, deleted)
    check_once(wanted, flushed, deleted)
    cluster.touched = check_answers(answers, flushed, deleted)
    assert cluster.touched.total() > 5, cluster.touched


def check_once(wanted: Any, flushed: Sequence[Item], deleted: Sequence[Item]) -> None:
    """Each record is in exactly one flush or deleted session, whatever its order."""
    contents: dict[str, bytes] = {}
    counts: Counter[Any] = Counter()
    sums: dict[Any, Fraction] = defaultdict(Fraction)
    sequences: dict[Any, list[int]] = defaultdict(list)
    for at, (_, _, _, value, _) in enumerate((*flushed, *deleted)):
        flush = loads(value or b"")
        known = contents.setdefault(flush["id"], value or b"")
        assert known == value, f"two contents: {known!r} and {value!r}"
        if known is not value:
            continue
        group = group_of(flush)
        counts[group] += flush["meta"]["count"]
        sums[group] += Fraction(flush["values"]["sum_bytes"] or 0)
        if at < len(flushed):
            sequences[group].append(flush["sequence"])
        sources = flush["explain"]["sources"]
        assert sum(source["count"] for source in sources) == flush["meta"]["count"]
    assert counts == {
        group: sum(map(len, found.values())) for group, found in wanted.offsets.items()
    }
    for group, found in sequences.items():
        assert sorted(found) == list(range(1, len(found) + 1)), (group, sorted(found))
    assert sums == {group: found["bytes"] for group, found in wanted.sums.items()}


def check_sinks(
    cluster: Cluster, told: dict[str, Counter[str]], billing: Billing, out: Path
) -> None:
    """The webhook has each flush with its one content, the files have each once, and both sinks'
    totals say so."""
    contents: dict[str, bytes] = {}
    lying = 0
    for _, _, _, value, _ in every(cluster, "aggregates"):
        contents[json.loads(value or b"")["id"]] = value or b""
        lying += 1
    for call in billing.calls:
        assert call.headers["webhook-signature"] == signature(call)
    took: dict[str, set[bytes]] = defaultdict(set)
    for body in billing.took:
        took[json.loads(body)["id"]].add(body)
    assert took == {one: {value} for one, value in contents.items()}
    lines = [line for path in out.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    assert sorted(lines) == sorted(contents.values())
    assert not list(out.glob(".*.part"))
    for name, counts in told.items():
        assert counts["accepted"] + counts["repeated"] == lying, (name, counts, lying)
        assert counts["refused"] + counts["missed"] + counts["passed"] == 0, (name, counts)
    assert told["files"]["accepted"] == len(contents)


@pytest.mark.parametrize(
    "cluster",
    ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.faults])],
    indirect=True,
)
def test_5_kills_with_everything_mixed_lose_and_repeat_nothing(cluster: Cluster) -> None:
    campaign(cluster, 5)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
def test_50_kills_with_everything_mixed(cluster: Cluster, seed: int) -> None:
    cluster.reseed(seed)
    campaign(cluster, 50)
