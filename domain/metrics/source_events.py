"""What stands on topic `source-events`: each archived record, and how fetches end.

Key of a record: source and record key. `page` and `index` make its version: of two records with one
key the one with the higher pair counts, wherever it comes from. The same record may come again
after a kill, with the same content.
"""

from __future__ import annotations

import msgspec

from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched

TOPIC = "source-events"
_encode = msgspec.json.Encoder().encode
Output = tuple[str, bytes | None, bytes]


def record_event(source: str, key: str, record: Fetched, page: int, index: int) -> Output:
    """The event of a record."""
    value = {
        "source": source,
        "key": key,
        "ts": print_instant(record.ts_ms),
        "attributes": record.attributes,
        "page": page,
        "index": index,
    }
    return TOPIC, f"{source}/{key}".encode(), _encode(value)
