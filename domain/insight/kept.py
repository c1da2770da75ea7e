"""Rows as they are kept."""

from typing import Any

import msgspec

from domain.insight.events import Event


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """An event as it came: when its record was received, when it was, and its bytes."""

    received_ms: int
    at_ms: int
    body: bytes


class Trace(msgspec.Struct, array_like=True, frozen=True):
    """What an event is counted under, to be taken back when its time has come."""

    kind: str
    at_ms: int
    campaign: str
    customer: bytes
    what: str
    placeholder: str

    def event(self) -> Event:
        """The event without its customer's name."""
        return Event(
            self.kind, self.at_ms, self.campaign, "", what=self.what, placeholder=self.placeholder
        )


encode = msgspec.msgpack.Encoder().encode
decode_any = msgspec.msgpack.Decoder().decode
decode_kept = msgspec.msgpack.Decoder(Kept).decode
decode_trace = msgspec.msgpack.Decoder(Trace).decode
decode_json = msgspec.json.Decoder().decode


def raw_of(kept: Kept) -> dict[str, Any]:
    """The event's JSON, which was an object when it came."""
    found: dict[str, Any] = decode_json(kept.body)
    return found
