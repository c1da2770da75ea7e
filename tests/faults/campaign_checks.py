"""What must hold of orders, results and stores when the life of campaigns is over."""

from collections import Counter

from domain.aggregation.instants import parse_instant
from tests.faults.campaign_life import REPEATED, Life
from tests.faults.usage import PARTITIONS


def check_orders(life: Life) -> int:
    """Each execution was ordered with one content and ended once, none of somebody negative, and
    none again without a reason; how many there were."""
    since = {
        (told.request_id, number): at_ms
        for told in life.all
        for number, at_ms in told.negative.items()
    }
    # what concerns one person is in one partition of both topics
    return sum(_check_orders(life, partition, since) for partition in range(PARTITIONS))


def _check_orders(life: Life, partition: int, since: dict[tuple[str, str], int]) -> int:
    orders: dict[str, int] = {}  # execution -> hash of its order
    again: dict[str, tuple[str, bool]] = {}  # one that isn't the first -> the one before it
    for each in life.cluster.values("executions", partition):
        if each["event"] != "execute":
            continue
        ident = each["execution_id"]
        told = hash(repr(sorted(each.items())))
        assert orders.setdefault(ident, told) == told, each
        at_ms, negative_ms = (
            _ms(each["ordered_at"]),
            since.get((each["request_id"], each["number"])),
        )
        assert negative_ms is None or at_ms <= negative_ms, each
        if each["attempt"] > 1:
            again[ident] = (f"{each['fdd_id']}.{each['attempt'] - 1}", each["retriggered"])
    ends: dict[str, tuple[int, str | None]] = {}  # execution -> hash of its end, reason
    for each in life.cluster.values("execution-results", partition):
        if each["event"] == "finished":
            told = hash(repr(sorted(each.items())))
            known = ends.setdefault(each["execution_id"], (told, each["reason"]))
            assert known[0] == told, each
    assert orders.keys() == ends.keys()
    for ident, (before, retriggered) in again.items():
        assert retriggered or ends[before][1] in REPEATED, (ident, ends[before])
    assert not list(life.cluster.values("dead-letters", partition))
    return len(orders)


def _ms(text: str) -> int:
    return parse_instant(text) or 0


def check_stored(life: Life) -> int:
    """The store of documents has every FDD that was made, once, as it ended; how many."""
    count = 0
    for told in life.all:
        wanted: Counter[tuple[str, str, str | None]] = Counter()
        for day, campaigns in life.ended.items():
            counts = campaigns.get(told.request_id, {}).get("counts")
            if counts is None:
                continue
            outcome = counts["outcome"]
            assert not counts["pending"], (told.request_id, day, counts)
            wanted[day, "COMPLETED", None] = outcome["completed"]
            wanted[day, "PARTIAL_COMPLETE", None] = outcome["partial"]
            wanted[day, "NEGATIVE", None] = outcome["negative"]
            wanted[day, "REVOKED", "REVOKED"] = outcome["revoked"]
            for reason, failed in outcome["failed"].items():
                wanted[day, "FAILED", reason] = failed
        stored = life.cluster.stored(told.request_id)
        assert stored == +wanted, (told.request_id, stored - wanted, wanted - stored)
        count += sum(stored.values())
    return count
