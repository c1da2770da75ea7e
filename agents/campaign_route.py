"""Where a record about campaigns goes: to the shard of its flow, which its ids name.

It depends on nothing but the record and the number of shards, so a record that is read again goes
the same way again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.campaign_parcels import BY_RETRIGGER, DIRECT, Entry
from agents.letters import Letter
from connectors.streams.murmur2 import partition_for
from domain.errors import Reason, Reject
from domain.insight.events import event_of
from tables.stream import Item

EVENTS, RESULTS = "campaign-events", "execution-results"
WATCHED = ("funnel", "usage")
OVER_ALL = ("do_not_call", "erase")
"""Commands about a number, which any flow may call: every shard gets them."""

_decode = msgspec.json.Decoder().decode


@dataclass
class Sent:
    """`entries` by shard, in order; those of `retriggers` go by way of the retrigger role,
    `watched` to the shards of funnel and usage events."""

    entries: dict[int, list[Entry]] = field(default_factory=dict)
    retriggers: dict[int, list[Entry]] = field(default_factory=dict)
    watched: dict[int, list[Entry]] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)


class Unreadable(Exception):
    """A record goes nowhere."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        self.detail = detail
        super().__init__(detail)


def flow_of(request_id: str) -> str:
    """The flow of a request, of which the id is made; "" when it isn't."""
    return request_id.rpartition("-")[0]


def shard_of(flow: str, shards: int) -> int:
    """Where all of a flow is kept."""
    return partition_for(flow.encode(), shards)


def decode_event(topic: str, body: bytes) -> dict[str, Any]:
    """The event as the rules take it. Raises Unreadable."""
    try:
        event = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("undecodable", f"no JSON: {error}") from error
    if not isinstance(event, dict):
        raise Unreadable("undecodable", "a JSON object is wanted")
    if topic == RESULTS:
        event["kind"] = "result"
    return event


def route(topic: str, partition: int, items: Sequence[Item], shards: int, now_ms: int) -> Sent:
    """Places the records of one partition of a public topic."""
    sent = Sent()
    for offset, timestamp, key, value, _ in items:
        entry = Entry(DIRECT, topic, partition, offset, timestamp, key, value or b"")
        try:
            event = decode_event(topic, entry.body)
            if event.get("kind") in WATCHED:
                customer = event_of(event, timestamp).customer
                number = partition_for(customer.encode("utf-8", "surrogatepass"), shards)
                sent.watched.setdefault(number, []).append(entry)
                continue
            numbers = shards_of(event, shards)
        except (Unreadable, Reject) as error:
            sent.letters.append(letter_of(entry, error.reason, error.detail, now_ms))
            continue
        to = sent.retriggers if path_of(event) == BY_RETRIGGER else sent.entries
        for number in numbers:
            to.setdefault(number, []).append(entry)
    return sent


def key_again(topic: str, body: bytes) -> bytes:
    """The key under which a record that was refused is put on its topic again. Raises Unreadable
    when it can't be placed now either."""
    event = decode_event(topic, body)
    if event.get("kind") in WATCHED:
        return _key_of_watched(event)
    shards_of(event, 1)
    request_id = _request_of(event)
    number = event.get("number")
    return (f"{request_id}/{number}" if isinstance(number, str) else request_id).encode()


def _key_of_watched(event: dict[str, Any]) -> bytes:
    try:
        found = event_of(event, 0)
    except Reject as error:
        raise Unreadable(error.reason, error.detail) from error
    return f"{found.campaign}/{found.customer}".encode("utf-8", "surrogatepass")


def shards_of(event: dict[str, Any], shards: int) -> Sequence[int]:
    """The shards that apply an event, of so many. Raises Unreadable."""
    kind = event.get("kind")
    if kind == "result":
        request_id = _request_of(event)
        if not request_id:
            raise Unreadable(
                "unknown_execution",
                "neither execution_id nor fdd_id nor request_id is one of the product's",
            )
    elif kind == "contact":
        return (_shard_of_contact(event, shards),)
    elif kind == "command":
        if event.get("command") in OVER_ALL:
            return range(shards)
        found = event.get("request_id")
        request_id = found if isinstance(found, str) else ""
        if not flow_of(request_id):
            raise Unreadable(
                "unknown_request", f"request_id {found!r}: <flow>-<16 hex digits> is wanted"
            )
    else:
        raise Unreadable("undecodable", f"kind {kind!r}: command, funnel or usage is wanted")
    return (shard_of(flow_of(request_id), shards),)


def path_of(event: dict[str, Any]) -> int:
    """How an event comes to its shards, see `Entry`."""
    return BY_RETRIGGER if event.get("command") == "retrigger" else DIRECT


def home_of(number: str, shards: int) -> int:
    """The shard that keeps the contacts of a number."""
    return partition_for(number.encode(), shards)


def _shard_of_contact(event: dict[str, Any], shards: int) -> int:
    """An answer goes to the shard of the flow that asked, all else to the home of the number."""
    if event.get("step") == "answer":
        request_id = _request_of(event)
        if not request_id:
            raise Unreadable("undecodable", "contact: no fdd_id in it")
        return shard_of(flow_of(request_id), shards)
    number = event.get("number")
    if not isinstance(number, str):
        raise Unreadable("undecodable", f"contact: number {number!r}, text is wanted")
    return home_of(number, shards)


def _request_of(event: dict[str, Any]) -> str:
    """The request that a result is about: the ids of FDD and execution begin with it."""
    for name in ("execution_id", "fdd_id", "request_id"):
        found = event.get(name)
        if isinstance(found, str) and flow_of(found.partition(".")[0]):
            return found.partition(".")[0]
    return ""


def letter_of(entry: Entry, reason: str, detail: str, now_ms: int) -> Letter:
    """The dead letter of a record."""
    return Letter(
        entry.topic, entry.partition, entry.offset, None, reason, detail, entry.body, None, now_ms
    )
