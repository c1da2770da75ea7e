"""J1: records of about 110 bytes of JSON by account; per account the sum, maximum and count of
`bytes` and the sum of `price`.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from connectors.streams.base import Log, Row, TopicSpec
from connectors.streams.murmur2 import partition_for

PARTITIONS = 4
PRODUCTS = ("data", "voice", "sms")
FILL_ROWS = 20_000


@dataclass
class Expected:
    """What every system must have at the end; prices are quarters, so that sums of floats are
    exact too and peers without decimals can be checked.
    """

    count: int = 0
    keys: int = 0
    bytes: int = 0
    top: int = 0
    price: float = 0.0

    def add(self, count: int, size: int, top: int, price: float) -> None:
        """One account's state."""
        self.count += count
        self.keys += 1
        self.bytes += size
        self.top += top
        self.price += price


def records(count: int, accounts: int) -> Iterator[tuple[str, int, float, str]]:
    """(account, bytes, price, JSON), the same ones every time."""
    rnd = random.Random(count * 31 + accounts)
    for i in range(count):
        account = f"acct-{rnd.randrange(accounts):06d}"
        size, price = rnd.randrange(1, 100_000), rnd.randrange(1, 41) / 4
        clock = f"{i // 3600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d}"
        text = (
            f'{{"id":"{i:08x}","account":"{account}","product":"{PRODUCTS[i % 3]}","bytes":{size},'
            f'"price":{price},"timestamp":"2026-01-01T{clock}Z"}}'
        )
        yield account, size, price, text


async def fill(
    log: Log, count: int, accounts: int, notes: Path, topic: str = "", every_ms: int = 0
) -> tuple[str, Expected]:
    """The filled topic (keyed by account) and what is in it; one name is filled only once. With
    `every_ms` the records are that far apart, the last of them now.
    """
    topic = topic or f"usage-{count}-{accounts}"
    note = notes / f"{topic}.json"
    if note.exists() and topic in await log.topics():
        return topic, Expected(**json.loads(note.read_text()))
    await log.ensure_topic(TopicSpec(topic, PARTITIONS, log_append_time=not every_ms))
    began_ms = int(time.time() * 1000) - count * every_ms
    tops: dict[str, int] = {}
    expected = Expected(count=count)
    waiting: list[list[Row]] = [[] for _ in range(PARTITIONS)]
    for i, (account, size, price, text) in enumerate(records(count, accounts)):
        expected.bytes += size
        expected.price += price
        tops[account] = max(tops.get(account, 0), size)
        key = account.encode()
        at = began_ms + i * every_ms if every_ms else None
        waiting[partition_for(key, PARTITIONS)].append((key, text.encode(), at, ()))
        if i % FILL_ROWS == FILL_ROWS - 1 or i == count - 1:
            parts = [(p, rows) for p, rows in enumerate(waiting) if rows]
            await asyncio.gather(*(log.append(topic, p, rows) for p, rows in parts))
            waiting = [[] for _ in range(PARTITIONS)]
    expected.keys, expected.top = len(tops), sum(tops.values())
    note.write_text(json.dumps(asdict(expected)))
    return topic, expected


def document(
    topic: str, keyed: bool, event_id: bool = False, lives_ms: int = 0, out: str = ""
) -> dict[str, object]:
    """The job as an aggregator document."""
    found: dict[str, object] = {
        "kind": "aggregator",
        "name": "j1",
        "input": topic,
        "group": {"fields": ["account"]},
        "aggregate": [
            {"field": "bytes", "operation": "sum"},
            {"field": "bytes", "operation": "max"},
            {"field": "*", "operation": "count"},
            {"field": "price", "operation": "sum"},
        ],
        "flush": {"by": "timeout", "timeout": {"duration": {"days": 2}}},
    }
    if keyed:
        found["keyed_by"] = ["account"]
    if event_id:
        found["event_id"] = "id"
    if lives_ms:
        found["flush"] = {"by": "timeout", "timeout": {"duration": {"seconds": lives_ms // 1000}}}
        found["output"] = {"topic": out}
    return found
