"""CloudEvents on an input topic, structured and binary, are routed as what they are about."""

import json

from agents.route import Router
from config.documents.aggregator import load_aggregator
from domain.aggregation.rule import compile_rule
from tests.agents.world import aggregator

DATA = {"account": "X", "bytes": 5}
BINARY = (
    ("ce_specversion", b"1.0"), ("ce_id", b"7"), ("ce_source", b"/s"), ("ce_type", b"t"),
    ("content-type", b"application/json"),
)  # fmt: skip


def test_binary_structured_and_plain_records_count_alike_and_a_broken_event_is_a_letter() -> None:
    rule = compile_rule(load_aggregator(aggregator()), 1)
    router = Router("usage", [rule], 1, 1, 1 << 20)
    event = {"specversion": "1.0", "id": "7", "source": "/s", "type": "t", "data": DATA}
    plain = json.dumps(DATA).encode()
    items = [
        (0, 1, None, plain, ()),
        (1, 1, None, json.dumps(event).encode(), ()),
        (2, 1, None, plain, BINARY),
        (3, 1, None, b"{", BINARY),
        (4, 1, None, plain, (("trace", b"1"),)),
    ]
    routed = router.route(0, items, 10)
    ((_, entries),) = routed.chunks[0][0].groups
    assert [entry[0] for entry in entries] == [0, 1, 2, 4]
    assert len({entry[2] for entry in entries}) == 1
    (letter,) = routed.letters
    assert (letter.offset, letter.reason, letter.original) == (3, "undecodable", b"{")
