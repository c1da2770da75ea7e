"""Takes what an aggregator wants from records: one by one and many at once, from views and rows."""

import json
from typing import Any

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder
from domain.aggregation.bulk import Groups, Refused, compile_bulk
from domain.aggregation.document import Aggregator
from domain.aggregation.extract import (
    compile_extract,
    paths_of,
)
from domain.errors import Reject
from tests.domain.aggregation.folding import a_document

COUNT: list[dict[str, Any]] = [{"field": "*", "operation": "count"}]
FILTER = {"field": "type", "op": "==", "value": "data"}
MONTH = {"field": "at", "period": "month", "timezone": "Europe/Stockholm"}
ZONED = {"field": "until", "period": "day", "timezone_field": "zone"}
ENDS = {"by": "timeout", "timeout": {"timestamp_field": "ends", "default_timeout": {"days": 1}}}


def document(aggregate: list[dict[str, Any]] = COUNT, **changes: Any) -> Aggregator:
    return load_aggregator(a_document(aggregate, **changes))


def extracted(doc: Aggregator, *records: dict[str, Any] | bytes) -> list[Any]:
    """For each record (key, values), its Reject's (reason, detail), or None if it is filtered out;
    whichever way it was taken."""
    decoder = JsonDecoder(paths_of(doc))
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    views = [decoder.decode(text) for text in texts]
    extract = compile_extract(doc, decoder.attributes)
    found: list[Any] = []
    for view in views:
        try:
            taken = extract(view)
            found.append(taken[:2] if taken is not None else None)
        except Reject as refused:
            found.append((refused.reason, refused.detail))
    assert in_bulk(doc, decoder.attributes, "view", views) == found
    if not any(view.cloud for view in views):
        rows = [
            tuple(getattr(view, name) for name in decoder.attributes.values()) for view in views
        ]
        assert in_bulk(doc, decoder.attributes, "row", rows) == found
    return found


def in_bulk(doc: Aggregator, attributes: Any, shape: Any, records: list[Any]) -> list[Any]:
    groups: Groups = {}
    refused: Refused = []
    offsets = range(100, 100 + len(records))
    bulk = compile_bulk(doc, attributes, shape)
    filtered = bulk(offsets, [offset * 10 for offset in offsets], records, groups, refused)
    found: dict[int, Any] = dict.fromkeys(filtered)
    for key, entries in groups.items():
        assert entries == sorted(entries, key=lambda entry: entry[0])
        for offset, timestamp, values in entries:
            assert timestamp == offset * 10
            found[offset] = key, values
    for offset, reject in refused:
        assert reject.__traceback__ is None
        found[offset] = reject.reason, reject.detail
    assert sorted(found) == list(offsets)
    return [found[offset] for offset in offsets]
