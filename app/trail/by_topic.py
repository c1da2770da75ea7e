"""Changes that were made by way of topics `config` and `campaign-events`, for the trail.

A control message that a program put there itself has the same entry as one over HTTP. Its id is the
message's position: told again after a kill, it takes its own place.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from agents.documents import Tell
from agents.told import Asked, TellAsked
from app.trail.entry import Entry, Outcome, encode
from config.topics import CONFIG
from connectors.streams.base import Log, Row
from tables.documents import Version

NOBODY = f"topic {CONFIG}"
"""The actor, where the message names none."""


def teller(log: Log, topic: str) -> Tell:
    """What writes the entries to `topic`."""

    async def tell(version: Version, before: Version | None) -> None:
        entry = entry_of(version, before)
        await log.append(topic, 0, [(entry.object.encode(), encode(entry), None, ())])

    return tell


def asked_teller(log: Log, topic: str) -> TellAsked:
    """What writes entries of commands to `topic`."""

    async def tell(asked: Sequence[Asked]) -> None:
        rows: list[Row] = [
            (one.about.encode("utf-8", "replace"), encode(entry_asked(one)), None, ())
            for one in asked
        ]
        if rows:
            await log.append(topic, 0, rows)

    return tell


def entry_asked(asked: Asked) -> Entry:
    """The entry of a command. One for sessions is valid and on its way, which nothing ends; what
    comes of one for a campaign is told on `campaign-audit`, here it stays `asked`.
    """
    ident = f"{asked.topic}-{asked.partition}-{asked.offset}"
    by = f"topic {asked.topic}"
    outcome: Outcome = "done" if asked.topic == CONFIG else "asked"
    return Entry(
        ident, asked.at_ms, asked.actor or by, asked.action, asked.about, asked.reason, outcome, by
    )


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
