"""Changes of documents that were made by way of topic `config`, for the trail.

A control message that a program put there itself has the same entry as one over HTTP. Its id is the
message's position: told again after a kill, it takes its own place.
"""

from typing import Any

import msgspec

from agents.documents import Tell
from app.trail.entry import Entry, encode
from config.topics import CONFIG
from connectors.streams.base import Log
from tables.documents import Version

NOBODY = "topic config"
"""The actor, where the message names none."""


def teller(log: Log, topic: str) -> Tell:
    """What writes the entries to `topic`."""

    async def tell(version: Version, before: Version | None) -> None:
        entry = entry_of(version, before)
        await log.append(topic, 0, [(entry.object.encode(), encode(entry), None, ())])

    return tell


def entry_of(version: Version, before: Version | None) -> Entry:
    """The entry of a version that a message makes."""
    partition, offset = version.position
    deed = "remove" if version.document is None else "apply"
    return Entry(
        f"{CONFIG}-{partition}-{offset}",
        version.at,
        version.actor or NOBODY,
        f"documents.{deed}",
        f"{version.kind}/{version.name}",
        version.reason,
        "done",
        f"topic {CONFIG}",
        _shown(before),
        _shown(version),
    )


def _shown(version: Version | None) -> Any:
    """As `app/web/snapshots.py` shows it, its numbers as they were written."""
    if version is None or version.document is None:
        return None
    return {"version": version.version, "document": msgspec.Raw(version.document.encode())}
