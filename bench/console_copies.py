"""More campaigns like those that the rules have made: the same rows under other ids and numbers.

Rules make some thousand FDDs a second, copies are made ten times as fast, and are the same to the
byte, but for ids and numbers, which are as long as those that they replace.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from config.settings import Settings
from connectors.stores.opening import DOCUMENTS_FILE
from connectors.streams.murmur2 import partition_for
from domain.campaigns.keys import flow_of_request, key
from domain.campaigns.rows import Campaign, Tabs, decode, encode
from tables.ledger_layout import ROW, WAKE, WAKE_END, end_of
from tables.store import RocksStore

PIECE = 20_000  # rows in a write batch
KINDS = b"bcfjlnoqruxyz"  # rows that have the request in their key
_COLUMNS = "version, state, date, slot, reason, reached"


class Copies:
    """Of the campaign `request_id` with numbers that begin with `numbers`."""

    def __init__(self, store: RocksStore, request_id: str, numbers: str) -> None:
        self._store, self._request_id, self._numbers = store, request_id, numbers
        own = request_id.encode()
        self._rows = [
            (at, value)
            for kind in KINDS
            for at, value in store.scan(ROW + bytes([kind]) + b"/", ROW + bytes([kind]) + b"0")
            if b"/" + own in at
        ] + [(at, value) for at, value in store.scan(WAKE, WAKE_END) if b"/" + own in at]

    def make(self, request_id: str, numbers: str, later_ms: int) -> None:
        """Writes the rows again, under these."""
        own, other = self._request_id.encode(), request_id.encode()
        called, calls = self._numbers.encode(), numbers.encode()
        campaign = ROW + key("c", self._request_id)
        held: list[tuple[bytes, bytes]] = []
        for at, value in self._rows:
            value = value.replace(own, other).replace(called, calls)
            if at == campaign:
                row = decode(Campaign, value)
                row.created_ms += later_ms
                row.name = f"campaign {request_id}"
                value = encode(row)
            held.append((at.replace(own, other).replace(called, calls), value))
            if len(held) == PIECE:
                self._store.write(held)
                held.clear()
        self._store.write(held)


def tabs_of(store: RocksStore) -> Iterator[tuple[bytes, Tabs]]:
    """The figures of days: (key, row)."""
    for at, value in store.scan(ROW + b"s/", end_of(ROW + b"s/")):
        yield at, decode(Tabs, value)


def added(tabs: Tabs, uploaded: int, pending: int) -> bytes:
    """The row with more of them."""
    tabs.uploaded += uploaded
    tabs.pending += pending
    return encode(tabs)


def copy_documents(folder: Path, copies: Sequence[tuple[str, str, str, str]]) -> None:
    """(request, its numbers' beginning, the copy's request, the copy's numbers' beginning)."""
    connection = sqlite3.connect(folder / DOCUMENTS_FILE, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")
    for own, called, other, calls in copies:
        connection.execute(
            f"INSERT INTO fdds (id, request_id, place, number, value, {_COLUMNS})"
            " SELECT replace(id, :own, :other), :other, place, replace(number, :called, :calls),"
            f" replace(replace(value, :own, :other), :called, :calls), {_COLUMNS}"
            " FROM fdds INDEXED BY fdds_of_request WHERE request_id = :own",
            {"own": own, "other": other, "called": called, "calls": calls},
        )
        connection.execute(
            "INSERT INTO campaigns SELECT :other, version, replace(value, :own, :other)"
            " FROM campaigns WHERE id = :own", {"own": own, "other": other},
        )  # fmt: skip
    connection.close()


def shard_of(folder: Path, request_id: str, partitions: int) -> Path:
    """The folder of the shard that has the request."""
    settings = Settings(data_dir=folder)
    number = partition_for(flow_of_request(request_id).encode(), partitions)
    return folder / "tables" / settings.app_id / f"campaigns-{number}"
