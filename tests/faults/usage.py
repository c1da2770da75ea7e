"""Aggregators of every kind, and usage records for them from a seeded generator."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.streams.murmur2 import partition_for

INPUT = "usage"
PARTITIONS = 4
SECOND = {"seconds": 1}

BY_PRODUCT = {
    "kind": "aggregator",
    "name": "by-product",
    "input": INPUT,
    "group": {"fields": ["product.code", "tier"]},
    "aggregate": [
        {"field": "bytes", "operation": "sum"},
        {"field": "price", "operation": "sum"},
        {"field": "bytes", "operation": "max"},
        {"field": "*", "operation": "count"},
    ],
    "flush": {"by": "timeout", "timeout": {"duration": SECOND}},
}
BY_ACCOUNT = {
    **BY_PRODUCT,
    "name": "by-account",
    "keyed_by": ["account"],
    "group": {"fields": ["account", "tier"]},
    "aggregate": [
        {"field": "price", "operation": "sum"},
        {"field": "price", "operation": "average"},
        {"field": "*", "operation": "count"},
    ],
    "flush": {"by": "timeout", "timeout": {"duration": {"seconds": 2}}},
}
FULL_TIERS = {
    **BY_PRODUCT,
    "name": "full-tiers",
    "group": {"fields": ["tier"]},
    "aggregate": [
        {"field": "bytes", "operation": "sum"},
        {"field": "*", "operation": "count"},
    ],
    "flush": {
        "by": "timeout",
        "timeout": {"duration": {"seconds": 2}},
        "conditions": {"field": "count", "op": ">=", "value": 25},
    },
}
ONCE = {
    **FULL_TIERS,
    "name": "once",
    "keyed_by": ["account"],
    "group": {"fields": ["account"]},
    "event_id": "id",
    "flush": {"by": "timeout", "timeout": {"duration": SECOND}},
}
HOURLY = {
    **FULL_TIERS,
    "name": "hourly",
    "filter": {"field": "type", "op": "==", "value": "data"},
    "group": {
        "fields": ["account"],
        "periods": [{"field": "timestamp", "period": "hour", "timezone": "UTC"}],
    },
    "flush": {"by": "timeout", "timeout": {"duration": SECOND}},
}
DOCUMENTS: list[dict[str, Any]] = [BY_PRODUCT, BY_ACCOUNT, FULL_TIERS, ONCE, HOURLY]

ACTIONS = ["flush", "delete", "set-timeout"]

Sent = tuple[int, str | None, str]
"""(partition, key, value)"""


class Usage:
    """Records, the same for the same seed: keyed or not, some on a wrong partition, some bad.

    Commands are for the aggregators of `documents`."""

    def __init__(self, seed: int) -> None:
        self.documents = DOCUMENTS
        self._rng = random.Random(seed)
        self._number = 0
        self._commands = 0
        self._lately: list[Sent] = []

    def batch(self, size: int) -> list[Sent]:
        """So many more records, where a producer would put them."""
        return [self._next() for _ in range(size)]

    def command(self) -> Sent:
        """An operator's command for some of the sessions there may be."""
        rng = self._rng
        self._commands += 1
        document = rng.choice(self.documents)
        action, field = rng.choice(ACTIONS), rng.choice(document["group"]["fields"])
        value = {"tier": rng.randrange(3), "account": f"a{rng.randrange(12)}"}.get(field, "p1")
        which: dict[str, Any] = {"group": {field: value}}
        if rng.random() < 0.5:
            test = {"field": "meta.count", "op": ">=", "value": rng.randrange(1, 9)}
            which = {"filter": {"any": [test, {"field": field, "op": "==", "value": value}]}}
        if action == "set-timeout":
            soon = datetime.now(UTC) + timedelta(seconds=rng.randrange(1, 4))
            which["due"] = soon.isoformat()
        name = f"c{self._commands}"
        message = {"kind": "command", "id": name, "action": action, "reason": "a test", **which}
        text = json.dumps({**message, "aggregator": document["name"]})
        return 0, f"command/{name}", text

    def _next(self) -> Sent:
        rng = self._rng
        if self._lately and rng.random() < 0.05:
            _, key, value = rng.choice(self._lately)  # sent again, with the same event id
            return rng.randrange(PARTITIONS), key, value
        sent = self._one()
        self._lately = [*self._lately[-30:], sent]
        return sent

    def _one(self) -> Sent:
        rng = self._rng
        self._number += 1
        account = f"a{rng.randrange(12)}"
        # the text of a number stays as it is: 0.10 is no float here
        price = f"{rng.randrange(1000)}.{rng.randrange(10**6):06d}"
        record = {
            "id": f"e{self._number}",
            "account": account,
            "product": {"code": f"p{rng.randrange(4)}"},
            "tier": rng.randrange(3),
            "type": rng.choice(["data", "data", "voice"]),
            "timestamp": f"2024-10-27T0{rng.randrange(3)}:30:00Z",
            "bytes": rng.choice([rng.randrange(10**6), 2**63 + rng.randrange(100)]),
        }
        kind = rng.random()
        if kind < 0.01:
            price = '"NaN"'
        elif kind < 0.02:
            del record["account"]
        value = json.dumps(record)[:-1] + f', "price": {price}}}'
        if 0.02 < kind < 0.025:
            value = value[:-5]
        keyed = rng.random() < 0.8
        wrong = rng.random() < 0.05
        at = partition_for(account.encode(), PARTITIONS) if keyed and not wrong else None
        partition = rng.randrange(PARTITIONS) if at is None else at
        return partition, account if keyed else None, value
