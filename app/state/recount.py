"""The recount: what a store keeps beside its rows, compared with its rows."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.state import backup
from app.state.backup import Manifest
from domain.aggregation.totals import Totals
from domain.errors import Invariant
from tables.blocks import decode_block, index_key, number_of
from tables.codec import decode_row
from tables.documents import Documents
from tables.formats import SHARD, NewerState, format_of
from tables.layout import (
    BLOCK,
    BLOCK_END,
    FORGET,
    OUTBOX,
    OUTBOX_END,
    ROW,
    ROW_END,
    SEEN,
    block_key,
    decode_any,
    instant_bytes,
    wake_key,
)
from tables.overlay import OverlayStore
from tables.recovery import recover
from tables.shard import Shard
from tables.store import KeyedStore, RocksStore

MEMORY_BYTES = 64 << 20
PIECE = 5_000
SHOWN = 3  # of each kind of fault


@dataclass(frozen=True)
class Counted:
    """One shard: its rows, open sessions, outputs not sent, totals by aggregator, faults."""

    number: int
    rows: int
    open: int
    unsent: int
    totals: dict[str, Totals]
    faults: tuple[str, ...]


async def counted(folder: Path, manifest: Manifest) -> list[Counted]:
    """Counts every shard of a backup, which stays as it is. Reads every row."""
    documents = backup.documents_of(folder)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in manifest.numbers:
            path = folder / backup.store_name(number)
            store: KeyedStore = RocksStore(
                path, MEMORY_BYTES, durable=True, read_only_logs=Path(scratch)
            )
            form = format_of(store)
            if form is not None and form[0] < SHARD.current:
                store = OverlayStore(store)  # brought up in memory
            try:
                found.append(await count(number, store, documents))
            finally:
                store.close()
    return found


async def count(number: int, store: KeyedStore, documents: Documents) -> Counted:
    """Counts one shard's store. Raises NewerState."""
    where = f"state of shard {number}"
    form = format_of(store)
    if form is not None and form[0] > SHARD.current:
        raise NewerState(where, form[0], SHARD.current)
    shard = Shard(number, store, None, documents.rule, None)
    if form is not None:
        await recover(shard)
    faults = [*_of_indexes(store)]
    try:
        shard.check()
    except Invariant as error:
        faults.append(error.detail)
    faults += [
        f"the totals of {name} do not balance"
        for name, totals in shard.totals.items()
        if not totals.balanced()
    ]
    rows = sum(1 for _ in store.scan(ROW, ROW_END))
    unsent = sum(1 for _ in store.scan(OUTBOX, OUTBOX_END))
    is_open = sum(totals.sessions for totals in shard.totals.values())
    return Counted(number, rows, is_open, unsent, shard.totals, tuple(faults))


def _of_indexes(store: KeyedStore) -> Iterator[str]:
    """Rows that nobody will look at in time, and event ids that will never be forgotten."""
    for kind, end, entry_of, what in (
        (ROW, ROW_END, _wake_of, "is not in the due index"),
        (SEEN, b"f", _forget_of, "is not in the index of event ids to forget"),
        (BLOCK, BLOCK_END, _block_over, "is not in the index of event ids to forget"),
        (SEEN, b"f", _block_of, "is an event id whose block is not there"),
    ):
        at, shown = kind, 0
        while piece := list(store.scan(at, end, PIECE)):
            at = piece[-1][0] + b"\0"
            entries = [entry_of(key, body) for key, body in piece]
            wanted = [entry for entry in entries if entry]
            for entry, body in zip(wanted, store.get_many(wanted), strict=True):
                if body is None and shown < SHOWN:
                    shown += 1
                    yield f"{entry[9:]!r} {what}"


def _wake_of(key: bytes, body: bytes) -> bytes:
    wake = decode_row(body).wake
    return wake_key(wake, key[1:]) if wake else b""


def _forget_of(key: bytes, body: bytes) -> bytes:
    sight = decode_any(body)
    return b"" if isinstance(sight, int) else FORGET + instant_bytes(sight[4]) + key


def _block_over(key: bytes, body: bytes) -> bytes:
    return index_key(number_of(key), decode_block(body))


def _block_of(_key: bytes, body: bytes) -> bytes:
    number = decode_any(body)
    return block_key(number) if isinstance(number, int) else b""
