"""`rebuild`: the rollups of a source made again from its archive, while its records go on coming.

The newest version of each record of the archive is put into a file in this worker's folder first,
so that a history of any length takes no memory; then the shard takes them again, commit by commit,
between the batches that it is given (see `domain/metrics/rebuilding.py`). A kill leaves rows that
are as they were or as they will be, each with what it gave: asked for again, it begins anew and
comes to the same. Records that were archived after it began are left to the stream.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agents.roll_up import RollUp, RollupShard
from connectors.archive.archive import Archive
from domain.errors import SluiceError
from domain.metrics.document import Mapping
from domain.metrics.rebuilding import drop_all, known_records, tell_changed
from domain.metrics.records import Record, encode, record_of
from domain.metrics.rolling import Rolling
from domain.metrics.series import record_digest

PAGE = 500  # records or buckets of one commit: some 50 ms, then the shard's own batches go on
_decode = msgspec.json.Decoder(Record).decode


class NothingArchived(SluiceError):
    """The archive has no whole page of the source: nothing is made of it, and nothing dropped."""

    def __init__(self, where: str, source: str) -> None:
        super().__init__(f"the archive at {where} has nothing of source {source!r}")


class Rebuilt(msgspec.Struct, frozen=True):
    """What came of it. records: in the archive, each key once; changed: of those, how many gave
    something else before; dropped: that the archive does not have; told: buckets that differ."""

    records: int = 0
    changed: int = 0
    dropped: int = 0
    told: int = 0


async def rebuild(
    work: RollUp, number: int, archive: Archive, mapping: Mapping, scratch: Path
) -> Rebuilt:
    """Makes the rollups of one source again in shard `number`. `scratch`: a file of its own, which
    is removed. Raises NothingArchived, NotOwned, and what the archive raises."""
    try:
        newest = await asyncio.to_thread(_index, archive, mapping, scratch)
        changed, dropped = await _take_again(work, number, mapping.source, scratch, newest)
        told = await _tell(work, number)
        records = await asyncio.to_thread(_count, scratch)
        return Rebuilt(records, changed, dropped, told)
    finally:
        scratch.unlink(missing_ok=True)


def _index(archive: Archive, mapping: Mapping, scratch: Path) -> int:
    """Puts the newest version of each key into the file; the highest version of all."""
    scratch.parent.mkdir(parents=True, exist_ok=True)
    scratch.unlink(missing_ok=True)
    newest = -1
    with closing(_opened(scratch)) as file:
        file.execute("create table r(k blob primary key, v integer, body blob) without rowid")
        for each in archive.records(mapping.source):
            made = record_of(mapping, each.record.ts_ms, each.version, each.record.attributes)
            lean = msgspec.structs.replace(made, attributes={})
            newest = max(newest, each.version)
            file.execute(
                "insert into r values(?,?,?) on conflict(k) do update set v=excluded.v,"
                " body=excluded.body where excluded.v > r.v",
                (record_digest(made.source, made.key), each.version, encode(lean)),
            )
        file.commit()
    if newest < 0:
        raise NothingArchived(archive.where, mapping.source)
    return newest


def _opened(scratch: Path) -> sqlite3.Connection:
    file = sqlite3.connect(scratch)
    file.execute("pragma journal_mode=off")  # it is thrown away in any case
    file.execute("pragma synchronous=off")
    return file


def _count(scratch: Path) -> int:
    with closing(_opened(scratch)) as file:
        return int(file.execute("select count(*) from r").fetchone()[0])


def _page(scratch: Path, after: bytes) -> list[tuple[bytes, Record]]:
    with closing(_opened(scratch)) as file:
        rows = file.execute("select k, body from r where k > ? order by k limit ?", (after, PAGE))
        return [(digest, _decode(body)) for digest, body in rows]


def _missing(scratch: Path, digests: list[bytes]) -> list[bytes]:
    with closing(_opened(scratch)) as file:
        has = "select 1 from r where k = ?"
        return [each for each in digests if file.execute(has, (each,)).fetchone() is None]


async def _take_again(
    work: RollUp, number: int, source: str, scratch: Path, newest: int
) -> tuple[int, int]:
    changed = dropped = 0
    after = b""
    while page := await asyncio.to_thread(_page, scratch, after):
        after = page[-1][0]
        records = [record for _, record in page]
        changed += await _commit(work, number, partial(_again, records=records))
    after = b""
    while True:
        async with work.shards.use(number) as shard:
            known = known_records(shard.ledger.view(), source, after, PAGE)
        if not known:
            return changed, dropped
        after = known[-1][0]
        older = [digest for digest, version in known if version <= newest]
        gone = await asyncio.to_thread(_missing, scratch, older)
        if gone:
            dropped += await _commit(work, number, partial(drop_all, source=source, digests=gone))


def _again(book: Any, records: list[Record]) -> int:
    rolling = Rolling(book, quiet=True)
    for record in records:
        rolling.take(record, again=True)
    rolling.close()
    return rolling.taken


async def _tell(work: RollUp, number: int) -> int:
    told = 0
    while True:
        more: list[bool] = []

        def step(book: Any, more: list[bool] = more) -> int:
            count, left = tell_changed(book, PAGE)
            more.append(left)
            return count

        told += await _commit(work, number, step)
        if not more[0]:
            return told


async def _commit(work: RollUp, number: int, step: Callable[[Any], int]) -> int:
    """One commit of the shard, between its batches."""
    async with work.shards.use(number) as shard:
        return await _stepped(shard, step)


async def _stepped(shard: RollupShard, step: Callable[[Any], int]) -> int:
    await shard.ledger.settle()
    book = shard.ledger.book()
    found = step(book)
    if book.changed:
        await shard.ledger.commit(book)
    return found


def scratches(folder: Path) -> Iterator[Path]:
    """Files that a kill left."""
    return folder.glob("rebuild-*.sqlite")
