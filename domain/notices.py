"""Messages to people, as rows of a shard until they were delivered.

<prefix><id>\\0<kind>\\0<target>   Notice: a message that has not been delivered yet

Whoever decides that something is told puts the rows into the same commit. A message is tried until
it was taken, then its row goes: so it is told at least once, with the same id each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

import msgspec

PAGE = 1000  # rows read at a time
Kind = Literal["mail", "sms", "webhook"]


class Notice(msgspec.Struct, array_like=True, frozen=True):
    """A message to one person. `body`: of a webhook. `content`: the id of what a mail is made of
    besides its subject; "" for a mail that is its `text`."""

    kind: Kind
    target: str
    id: str
    subject: str
    text: str
    body: bytes
    at_ms: int
    content: str = ""


class Book(Protocol):
    """What is needed of a shard's rows."""

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a row."""

    def delete(self, key: bytes) -> None:
        """Takes a row away."""

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """(key, value) of rows that begin with `prefix` and are greater than `after`, in order."""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Notice).decode
_json = msgspec.json.Encoder().encode


def key_of(prefix: bytes, notice: Notice) -> bytes:
    """The row of a message."""
    return prefix + f"{notice.id}\0{notice.kind}\0{notice.target}".encode()


def tell(
    book: Any,
    prefix: bytes,
    id: str,
    record: dict[str, Any],
    told: tuple[Iterable[str], Iterable[str], str | None],
    now_ms: int,
) -> None:
    """Puts the messages of an alert's start or end. record: as on topic `alerts`; told: mail
    addresses, phone numbers, the address of a webhook."""
    mails, numbers, webhook = told
    targets: list[tuple[Kind, str]] = [("mail", each) for each in dict.fromkeys(mails)]
    targets += [("sms", each) for each in dict.fromkeys(numbers)]
    targets += [("webhook", webhook)] if webhook else []
    subject = f"{record['alert']} {record['state']}: {record['text']}"
    for kind, target in targets:
        put(book, prefix, Notice(kind, target, id, subject, record["text"], _json(record), now_ms))


def put(book: Book, prefix: bytes, notice: Notice) -> None:
    """Writes a message's row."""
    book.put(key_of(prefix, notice), _pack(notice))


def waiting(rows: Any, prefix: bytes, of: str = "") -> Iterator[Notice]:
    """The messages that have not been delivered, in the order of their ids; of those alone that
    begin with `of`. Nothing may be awaited between two of them."""
    start, after = prefix + of.encode(), b""
    while part := rows.scan(start, after, PAGE):
        for _, value in part:
            yield _unpack(value)
        if len(part) < PAGE:
            return
        after = part[-1][0]
