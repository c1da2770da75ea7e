"""Alerts about metrics: their states, and what people are told, as rows of a shard of rollups.

a<alert>\\0<subject>    Watch: how it stands
d<id>\\0<kind>\\0<target>   Notice: a message that has not been delivered yet

An alert is kept by the shard that its name hashes to. State, record for topic `alerts` and notices
are one commit; a notice goes out until it was taken, with one id: after a kill it may come twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from agents.roll_up import RollupShard
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

ALERTS = "alerts"
WATCH, NOTICE = b"a", b"d"
PAGE = 100  # notices looked at in one round
Kind = Literal["mail", "sms", "webhook"]


class Notice(msgspec.Struct, array_like=True, frozen=True):
    """A message to one person. `body`: the record of topic `alerts`, as JSON."""

    kind: Kind
    target: str
    id: str
    subject: str
    text: str
    body: bytes
    at_ms: int


_pack = msgspec.msgpack.Encoder().encode
_watch = msgspec.msgpack.Decoder(Watch).decode
_notice = msgspec.msgpack.Decoder(Notice).decode
_json = msgspec.json.Encoder().encode


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
        if after != before:
            book.put(watch_key(alert.name, subject), _pack(after))
        if state is not None:
            told.append(state)
            _tell(book, alert, subject, after, state, reading.failing or "", admins, now_ms)
    if book.changed:
        await shard.ledger.commit(book)
    return told


async def forget(shard: RollupShard, alert: str, subject: str, watch: Watch) -> None:
    """Ends an alert whose document, or source, is gone; nobody but the topic is told."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    book.delete(watch_key(alert, subject))
    if watch.started:
        record = {
            "alert": alert, watch.about: subject, "state": "ended", "value": watch.value,
            "mark": None, "since": print_instant(watch.since_ms),
            "text": "The alert, or what it was about, was removed",
        }  # fmt: skip
        book.send(ALERTS, alert.encode(), record)
    await shard.ledger.commit(book)


async def change(shard: RollupShard, alert: str, subject: str, **changes: Any) -> None:
    """Sets what people say of an alert: that it is seen to, or to be silent for a time."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    before = watch_of(book, alert, subject)
    book.put(watch_key(alert, subject), _pack(msgspec.structs.replace(before, **changes)))
    await shard.ledger.commit(book)


def _tell(
    book: Any,
    alert: MetricAlert,
    subject: str,
    watch: Watch,
    state: State,
    why: str,
    admins: Iterable[str],
    now_ms: int,
) -> None:
    record = message(alert, subject, watch, state, why)
    book.send(ALERTS, alert.name.encode(), record)
    if watch.silent_until_ms > now_ms:
        return
    mails = dict.fromkeys([*alert.to, *(admins if alert.source else ())])
    targets: list[tuple[Kind, str]] = [("mail", each) for each in mails]
    targets += [("sms", each) for each in alert.sms]
    targets += [("webhook", alert.webhook)] if alert.webhook else []
    id = message_id(alert.name, subject, watch.number, state)
    for kind, target in targets:
        subject_line = f"{alert.name} {state}: {record['text']}"
        notice = Notice(kind, target, id, subject_line, record["text"], _json(record), now_ms)
        book.put(_key(notice), _pack(notice))


def _key(notice: Notice) -> bytes:
    return NOTICE + f"{notice.id}\0{notice.kind}\0{notice.target}".encode()


def notices(rows: Rows) -> list[Notice]:
    """Some of the messages that have not been delivered."""
    return [_notice(value) for _, value in rows.scan(NOTICE, b"", PAGE)]


async def delivered(shard: RollupShard, some: Iterable[Notice]) -> None:
    """These were taken."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    for notice in some:
        book.delete(_key(notice))
    await shard.ledger.commit(book)
