"""Alerts about metrics: their states, and what people are told, as rows of a shard of rollups.

a<alert>\\0<subject>    Watch: how it stands
d…                      messages that have not been delivered yet, see `domain/notices.py`
i<alert>                Answered: what was asked with an Idempotency-Key

An alert is kept by the shard that its name hashes to. State, record for topic `alerts` and messages
are one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from agents.roll_up import RollupShard
from domain import once
from domain.aggregation.instants import print_instant
from domain.metrics.alerting import (
    MetricAlert,
    Reading,
    State,
    Watch,
    message,
    message_id,
    step,
)
from domain.metrics.series import Rows
from domain.notices import tell

ALERTS = "alerts"
WATCH, NOTICE, ASKED = b"a", b"d", b"i"

_pack = msgspec.msgpack.Encoder().encode
_watch = msgspec.msgpack.Decoder(Watch).decode


def watch_key(alert: str, subject: str) -> bytes:
    """The row of an alert's state."""
    return WATCH + f"{alert}\0{subject}".encode()


def watches(rows: Rows) -> list[tuple[str, str, Watch]]:
    """(alert, subject, state) of all that are kept here."""
    found, after = [], b""
    while part := rows.scan(WATCH, after, 1000):
        for key, value in part:
            alert, _, subject = key[len(WATCH) :].decode().partition("\0")
            found.append((alert, subject, _watch(value)))
        after = part[-1][0]
    return found


def watch_of(rows: Rows, alert: str, subject: str) -> Watch:
    """How an alert stands; quiet when nothing is known."""
    held = rows.get(watch_key(alert, subject))
    return Watch() if held is None else _watch(held)


async def look(
    shard: RollupShard,
    alert: MetricAlert,
    readings: Mapping[str, Reading],
    admins: Iterable[str],
    now_ms: int,
) -> list[State]:
    """Moves an alert by what is known of each subject; nothing is written when nothing changes."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    told: list[State] = []
    for subject, reading in readings.items():
        before = watch_of(book, alert.name, subject)
        after, state = step(alert, before, reading, now_ms)
        if state is not None:
            told.append(state)
            record = message(alert, subject, after, state, reading.failing or "")
            after = msgspec.structs.replace(after, text=record["text"], told_ms=now_ms)
            _tell(book, alert, subject, after, state, record, admins, now_ms)
        if after != before:
            book.put(watch_key(alert.name, subject), _pack(after))
    if book.changed:
        await shard.ledger.commit(book)
    return told


async def forget(shard: RollupShard, alert: str, subject: str, watch: Watch) -> None:
    """Ends an alert whose document, or source, is gone; nobody but the topic is told."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    book.delete(watch_key(alert, subject))
    book.delete(ASKED + alert.encode())
    if watch.started:
        record = {
            "alert": alert, watch.about: subject, "state": "ended", "value": watch.value,
            "mark": None, "since": print_instant(watch.since_ms),
            "text": "The alert, or what it was about, was removed",
        }  # fmt: skip
        book.send(ALERTS, alert.encode(), record)
    await shard.ledger.commit(book)


async def change(
    shard: RollupShard,
    alert: str,
    subjects: Iterable[str],
    key: str | None,
    now_ms: int,
    **changes: Any,
) -> Literal["done", "repeated", "conflict"]:
    """Sets what people say of an alert: that it is seen to, or to be silent for a time. `key`: of
    the request. Asked again it changes nothing (repeated), nor with other content (conflict)."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    if key is not None:
        row, asked = ASKED + alert.encode(), repr(sorted(changes.items()))
        before = once.found(book.get(row), key, now_ms)
        if before is not None:
            return "repeated" if before.asked == once.mark(asked) else "conflict"
        book.put(row, once.noted(book.get(row), key, asked, now_ms))
    for subject in subjects:
        watch = msgspec.structs.replace(watch_of(book, alert, subject), **changes)
        book.put(watch_key(alert, subject), _pack(watch))
    await shard.ledger.commit(book)
    return "done"


def _tell(
    book: Any,
    alert: MetricAlert,
    subject: str,
    watch: Watch,
    state: State,
    record: dict[str, Any],
    admins: Iterable[str],
    now_ms: int,
) -> None:
    book.send(ALERTS, alert.name.encode(), record)
    if watch.silent_until_ms > now_ms:
        return
    mails = [*alert.to, *(admins if alert.source else ())]
    id = message_id(alert.name, subject, watch, state)
    tell(book, NOTICE, id, record, (mails, alert.sms, alert.webhook), now_ms)
