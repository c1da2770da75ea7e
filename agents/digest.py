"""Digests as rows of a shard of rollups, kept by the shard that a digest's name hashes to.

g<digest>     Sent: which period was told last
b<id>         what the mails of that id are made of, until the last of them was delivered
d…            the mails, see `domain/notices.py`
i<digest:>    what was asked with an Idempotency-Key

That a period is told, what is told and the mails are one commit; so each period is told once, and
a mail that goes out twice after a kill has the same content and the same id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from agents.alert import ASKED, NOTICE
from agents.roll_up import RollupShard
from domain import once
from domain.metrics.digest import Digest, Period, Sent, message_id, of_digest, told
from domain.metrics.series import Rows
from domain.notices import Notice, key_of, put, waiting

SENT, CONTENT = b"g", b"b"
_pack = msgspec.msgpack.Encoder().encode
_sent = msgspec.msgpack.Decoder(Sent).decode


def sent_of(rows: Rows, name: str) -> Sent | None:
    """What was told last; None of a digest that nothing is known of."""
    held = rows.get(SENT + name.encode())
    return None if held is None else _sent(held)


def known(rows: Rows) -> list[tuple[str, Sent]]:
    """(digest, what was told last) of all that are kept here."""
    found, after = [], b""
    while part := rows.scan(SENT, after, 1000):
        found += [(key[len(SENT) :].decode(), _sent(value)) for key, value in part]
        after = part[-1][0]
    return found


def content_of(rows: Rows, id: str) -> bytes | None:
    """What the mails of that id are made of."""
    return rows.get(CONTENT + id.encode())


async def begin(shard: RollupShard, name: str, from_ms: int) -> None:
    """A digest is in force since then."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    if book.get(SENT + name.encode()) is None:
        book.put(SENT + name.encode(), _pack(Sent(from_ms)))
        await shard.ledger.commit(book)


async def send(
    shard: RollupShard, digest: Digest, period: Period, content: bytes, subject: str, now_ms: int
) -> None:
    """Tells of a period that is due, in place of what of earlier ones was not delivered yet."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    before = sent_of(book, digest.name) or Sent(0)
    after = told(digest, before, period, now_ms)
    _drop(book, digest.name)
    book.put(SENT + digest.name.encode(), _pack(after))
    _tell(book, digest, after.id, content, subject, now_ms)
    await shard.ledger.commit(book)


async def send_again(
    shard: RollupShard, digest: Digest, period: Period, content: bytes, subject: str,
    key: str, now_ms: int,
) -> str | None:  # fmt: skip
    """Tells of a period because somebody asked to. The id of the mails, that of the first time for
    a key that is known; None when the key stands for another period."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    row, asked = ASKED + of_digest(digest.name).encode(), period.first.isoformat()
    before = once.found(book.get(row), key, now_ms)
    if before is not None:
        return before.answer if before.asked == once.mark(asked) else None
    id = message_id(digest, period, once.mark(key).hex())
    book.put(row, once.noted(book.get(row), key, asked, now_ms, id))
    _tell(book, digest, id, content, subject, now_ms)
    await shard.ledger.commit(book)
    return id


async def forget(shard: RollupShard, name: str) -> None:
    """Its document is gone: what was not delivered yet isn't any more."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    book.delete(SENT + name.encode())
    book.delete(ASKED + of_digest(name).encode())
    _drop(book, name)
    await shard.ledger.commit(book)


async def delivered(shard: RollupShard, some: Iterable[Notice]) -> None:
    """These messages, of alerts and digests, were taken; what the last of its id was made of goes
    with it."""
    await shard.ledger.settle()
    book = shard.ledger.book()
    for notice in some:
        book.delete(key_of(NOTICE, notice))
        if notice.content and not any(waiting(book, NOTICE, f"{notice.id}\0")):
            book.delete(CONTENT + notice.content.encode())
    await shard.ledger.commit(book)


def _drop(book: Any, name: str) -> None:
    for notice in list(waiting(book, NOTICE, of_digest(name))):
        book.delete(key_of(NOTICE, notice))
    for key, _ in book.scan(CONTENT + of_digest(name).encode()):
        book.delete(key)


def _tell(
    book: Any, digest: Digest, id: str, content: bytes, subject: str, now_ms: int
) -> None:  # fmt: skip
    for address in digest.to:
        put(book, NOTICE, Notice("mail", address, id, subject, "", b"", now_ms, id))
    if digest.to:
        book.put(CONTENT + id.encode(), content)
