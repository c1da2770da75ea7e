"""Changes that programs ask for by way of topics, for the trail.

What came over HTTP is in the trail already, which a header of its record says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from domain.campaigns.commands import why_of
from domain.errors import Reject
from tables.stream import Item

AUDITED = "audited"
"""Header of a record whose change is in the trail already."""
HEADERS = ((AUDITED, b"1"),)
CAMPAIGN_COMMANDS = (
    "upload", "negatives", "retrigger", "reschedule", "revoke", "pause", "resume",
)  # fmt: skip
"""Those that programs may put on `campaign-events`; all others there are the product's own."""
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class Asked:
    """A change that a record asks for: `action` as the trail names it, `about` what it is made of.
    `actor` "": the record names none."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    actor: str
    action: str
    about: str
    reason: str


TellAsked = Callable[[Sequence[Asked]], Awaitable[None]]
"""Told of changes before the batch that asks for them is done with; after a kill maybe again."""


def is_audited(item: Item) -> bool:
    """Whether the record's change is in the trail already."""
    return any(name == AUDITED for name, _ in item[4])


def campaign_changes(
    topic: str, partition: int, items: Sequence[Item], refused: Collection[int]
) -> Iterator[Asked]:
    """The changes among records of `campaign-events`; `refused` are offsets of dead letters."""
    for item in items:
        offset, at_ms, _, value, _ = item
        if b'"command"' not in (value or b"") or offset in refused or is_audited(item):
            continue
        try:
            event = _decode(value or b"")
            command, body = event.get("command"), event.get("body")
            inner = body if isinstance(body, dict) else {}
            reason, dry_run = why_of(event, inner)
        except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, Reject):
            continue  # it changes nothing
        if event.get("kind") != "command" or command not in CAMPAIGN_COMMANDS or dry_run:
            continue
        actor, about = str(event.get("actor") or ""), str(event.get("request_id") or "")
        action = f"campaigns.{command}"
        yield Asked(topic, partition, offset, at_ms, actor, action, about, reason)
