"""Records about campaigns go to the shard of their flow; what can't be read is a dead letter."""

import json
from typing import Any

import pytest

from agents.campaign_parcels import PARCEL_BYTES, Entry, decode_parcel, parcels
from agents.campaign_route import EVENTS, RESULTS, route, shard_of

REQUEST = "pay-day-0011223344556677"


def item(value: Any, offset: int = 0, key: bytes | None = None) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return (offset, 5, key, body, ())


@pytest.mark.parametrize(
    "event",
    [
        {"execution_id": f"{REQUEST}.20251103.1000_1200.1.17.1", "event": "started"},
        {"fdd_id": f"{REQUEST}.20251103.1000_1200.1.17", "event": "started"},
        {"request_id": REQUEST, "event": "started"},
    ],
)
def test_a_result_goes_to_the_shard_that_its_ids_name(event: dict[str, Any]) -> None:
    sent = route(RESULTS, 1, [item(event, 7, b"any")], 4, 0)
    assert list(sent.entries) == [shard_of("pay-day", 4)]
    (entry,) = sent.entries[shard_of("pay-day", 4)]
    assert (entry.topic, entry.partition, entry.offset, entry.timestamp) == (RESULTS, 1, 7, 5)


def test_commands_of_a_request_keep_their_order_in_one_shard() -> None:
    names = ["upload", "rows", "rows_end", "pause"]
    events = [{"kind": "command", "command": name, "request_id": REQUEST} for name in names]
    sent = route(EVENTS, 0, [item(each, n) for n, each in enumerate(events)], 4, 0)
    assert [entry.offset for entry in sent.entries[shard_of("pay-day", 4)]] == [0, 1, 2, 3]


def test_a_retrigger_goes_by_way_of_its_role() -> None:
    sent = route(
        EVENTS, 0, [item({"kind": "command", "command": "retrigger", "request_id": REQUEST})], 4, 0
    )
    assert not sent.entries
    assert list(sent.retriggers) == [shard_of("pay-day", 4)]


@pytest.mark.parametrize("name", ["do_not_call", "erase"])
def test_a_command_about_a_number_goes_to_every_shard(name: str) -> None:
    sent = route(EVENTS, 0, [item({"kind": "command", "command": name, "body": {}})], 3, 0)
    assert sorted(sent.entries) == [0, 1, 2]


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        (EVENTS, b"{", "undecodable"),
        (EVENTS, b"\xff", "undecodable"),
        (EVENTS, b"", "undecodable"),
        (EVENTS, [1], "undecodable"),
        (EVENTS, {"kind": "other"}, "undecodable"),
        (EVENTS, {"kind": "command", "command": "pause"}, "unknown_request"),
        (EVENTS, {"kind": "command", "command": "pause", "request_id": 7}, "unknown_request"),
        (EVENTS, {"kind": "command", "command": "pause", "request_id": "x"}, "unknown_request"),
        (RESULTS, {"event": "started"}, "unknown_execution"),
        (RESULTS, {"execution_id": "x"}, "unknown_execution"),
    ],
)
def test_what_goes_nowhere_is_a_dead_letter(topic: str, value: Any, reason: str) -> None:
    sent = route(topic, 2, [item(value, 9)], 3, 44)
    assert not sent.entries
    (letter,) = sent.letters
    assert (letter.topic, letter.partition, letter.offset) == (topic, 2, 9)
    assert (letter.reason, letter.at) == (reason, 44)


def test_parcels_hold_many_entries_in_order_and_stay_small() -> None:
    entries = [Entry(0, EVENTS, 0, n, 0, None, b"x" * 100_000) for n in range(12)]
    made = parcels(entries)
    assert [entry for parcel in made for entry in decode_parcel(parcel)] == entries
    assert all(len(parcel) <= PARCEL_BYTES + 1_000 for parcel in made)
    assert len(made) in range(2, 6)
