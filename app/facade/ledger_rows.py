"""Rows of the tables that are ledgers, as plain data, of the shards that are open here."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.facade.parts import Parts
from domain.aggregation.flush import to_json
from domain.campaigns import rows as campaign_rows
from tables.ledger_book import LedgerBook

QUESTION = "ledger_rows"
LEDGERS = ("campaigns", "rollups", "insight")
Books = Callable[[str], dict[int, tuple[int, LedgerBook]]]
"""By number of the shards of a table that are open: (epoch, what is committed)."""

_STRUCTS: Mapping[bytes, Any] = {
    b"c": campaign_rows.Campaign,
    b"f": campaign_rows.Fdd,
    b"r": campaign_rows.Record,
    b"z": campaign_rows.Counts,
    b"k": campaign_rows.Command,
    b"j": campaign_rows.Job,
    b"x": campaign_rows.Negative,
    b"d": campaign_rows.Negative,
    b"u": campaign_rows.Upload,
    b"s": campaign_rows.Tabs,
}
_PRINTED = frozenset(range(0x20, 0x7F)) - {0x5C}
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_decode_any = msgspec.msgpack.Decoder().decode


def key_text(key: bytes) -> str:
    r"""A key for people and addresses: what is no printed ASCII is `\x` and two digits."""
    return "".join(chr(byte) if byte in _PRINTED else f"\\x{byte:02x}" for byte in key)


def key_bytes(text: str) -> bytes:
    """The inverse of `key_text`; of a text with other characters, their UTF-8."""
    found = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        found += text[at : match.start()].encode("utf-8", "surrogatepass")
        found.append(int(match[1], 16))
        at = match.end()
    return bytes(found + text[at:].encode("utf-8", "surrogatepass"))


def value_json(table: str, key: bytes, value: bytes) -> bytes:
    """A row's value as JSON: with names where its shape is known."""
    shape = _STRUCTS.get(key.partition(b"/")[0]) if table == "campaigns" else None
    if shape is not None:
        try:
            return to_json(_named(msgspec.msgpack.decode(value, type=shape)))
        except msgspec.ValidationError:
            pass  # another kind of row under the same letter: shown without names
    try:
        return to_json(_plain(_decode_any(value))) if value else b"null"
    except msgspec.DecodeError:
        return to_json(key_text(value))


def _named(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(name): _named(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_named(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return key_text(value)
        return text if text.isprintable() else key_text(value)
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class LedgerRows:
    """Answers QUESTION: `table`, `prefix`, `exact` (or None), `after`, `limit`; keys as bytes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.questions = {QUESTION: self._tell}

    def topic(self, table: str) -> str:
        """The topic whose partitions are the table's shards."""
        names = self._parts.names
        topics = {"campaigns": names.campaigns_in, "insight": names.insight_in}
        return topics.get(table) or names.topic("source-events")

    def _books(self, table: str) -> dict[int, tuple[int, LedgerBook]]:
        parts = self._parts
        if table == "campaigns" and parts.campaigns is not None:
            books = parts.campaigns.books().items()
            return {number: (epoch, book) for number, (epoch, _, book) in books}
        ledgers = parts.rollups if table == "rollups" else parts.insight
        return {} if ledgers is None or table == "campaigns" else ledgers.books()

    async def _tell(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        return await tell_rows(self._books, asked)


async def tell_rows(books: Books, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """[key, key text, value] by shard, in the order of keys; `books` are those open at the time."""
    table, found = asked["table"], {}
    for number, (epoch, book) in books(table).items():
        if books(table).get(number, (None,))[0] != epoch:
            continue  # lost on the way; its store may be closed
        rows, reached = _page(book, asked)
        found[number] = {
            "epoch": epoch,
            "rows": [[key, key_text(key), value_json(table, key, raw)] for key, raw in rows],
            "reached": reached,
        }
        await asyncio.sleep(0)
    return found


def _page(
    book: LedgerBook, asked: Mapping[str, Any]
) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    exact = asked["exact"]
    if exact is not None:
        value = book.get(exact)
        return ([] if value is None else [(exact, value)]), None
    prefix, after = asked["prefix"], asked["after"] or b""
    rows = book.scan(prefix, after, asked["limit"] + 1)
    if len(rows) > asked["limit"]:
        rows = rows[: asked["limit"]]
        return rows, rows[-1][0]
    return rows, None
