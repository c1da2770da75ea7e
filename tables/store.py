"""One partition's keyed state in RocksDB: bytes to bytes, ordered, one write batch a commit, memory
bounded.

Closed explicitly; an iterator never lives past the call that made it (a live one keeps the lock). A
store that can't be opened is moved aside (`moved_aside` tells where to) and begun empty: the
changelog has everything.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from rocksdict import (
    AccessType,
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DataBlockIndexType,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from domain.errors import Fatal

INDEX_BYTES = 16 << 10  # of a piece of an index or a filter
BLOOM_BITS = 10  # about 1 % of look-ups for absent keys read a block
L0_FILES = 8  # merged at a time: half as often as by default, for eight more looks at bloom filters
_DAMAGED = (
    *("Corruption", "Invalid argument", "NotFound"),
    "IO error: No such file or directory",  # a file that another one of the folder names
)
OPEN_FILES = 256  # per partition: well below the usual limit of 1,024 a process at 4 partitions


class StoreDamaged(Fatal):
    """State that nothing else has can't be read."""

    def __init__(self, path: Path, detail: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: the state can't be read ({detail})",
            "put back a backup of it, or begin with another folder",
        )


class StoreNotOpened(Fatal):
    """State that is there can't be opened now; whether it is whole isn't known."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"{path}: the state can't be opened ({detail})",
            "see that no other process has it, that this one may read and write it, that the disk "
            "has room, and how many files it may have open",
        )


class KeyedStore(Protocol):
    """What a table needs of its store; in memory for batches without state."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]: ...
    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = ()) -> None: ...
    def scan(
        self, start: bytes, end: bytes, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]: ...
    def close(self) -> None: ...


class RocksStore:
    """A RocksDB folder. `memory_bytes` bounds block cache (a third of it) plus write buffers.

    `durable` writes a write-ahead log (state without a changelog); without it a kill loses the
    newest writes, as a whole and in order: what was written first is there when what was written
    later is.
    """

    def __init__(
        self, path: Path, memory_bytes: int, *, durable: bool, read_only_logs: Path | None = None
    ) -> None:
        """With `read_only_logs`, where RocksDB then writes its own log, nothing in the folder
        changes. Raises StoreDamaged when there is no changelog to begin anew from, StoreNotOpened
        for what says nothing of the state itself."""
        self.path = path
        self.moved_aside: Path | None = None
        options = _options(memory_bytes)
        access = AccessType.read_write()
        if read_only_logs is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            options.set_db_log_dir(str(read_only_logs))
            access = AccessType.read_only()
        self._read_only = read_only_logs is not None
        try:
            self._db = Rdict(str(path), options, access_type=access)
        except Exception as error:
            # rocksdict raises plain Exceptions whose text starts with RocksDB's status
            if not str(error).startswith(_DAMAGED):
                raise StoreNotOpened(path, str(error)) from error
            if durable:
                raise StoreDamaged(path, str(error)) from error
            self.moved_aside = _free_name(path)
            path.rename(self.moved_aside)
            self._db = Rdict(str(path), options)
        write_options = WriteOptions()
        # rocksdict's stubs take these attributes for methods
        write_options.disable_wal = not durable  # type: ignore[method-assign, assignment]
        write_options.sync = durable
        self._db.set_write_options(write_options)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys`, None for absent ones, in order, in one multi-get."""
        found: Any = self._db.get(list(keys)) if keys else []
        return list(found)

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = ()) -> None:
        """Applies deletes, then puts, as one write batch: all of it or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key in deletes:
            batch.delete(key)
        for key, value in puts:
            batch.put(key, value)
        self._db.write(batch)

    def scan(
        self, start: bytes, end: bytes, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) with start <= key < end, in order, at most `limit`."""
        found: list[tuple[bytes, bytes]] = []
        items: Any = self._db.items(from_key=start)
        for key, value in items:
            if key >= end or (limit is not None and len(found) >= limit):
                break
            if limit is None:
                yield key, value
            else:
                found.append((key, value))
        del items
        yield from found

    def flush(self) -> None:
        """Writes what is in memory to disk."""
        self._db.flush()

    def checkpoint(self, path: Path) -> None:
        """Makes `path`, a folder that is not there yet, hold the store as it is now.

        Large files are the same on disk as long as both are there (hard links): seconds of work
        only for what is in memory. For any thread, while nobody writes.
        """
        self._db.flush()
        Checkpoint(self._db).create_checkpoint(str(path))

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())

    def memory(self) -> int:
        """Bytes of memory that this store holds now: write buffers, table readers, block cache."""
        names = (
            "rocksdb.cur-size-all-mem-tables",
            "rocksdb.estimate-table-readers-mem",
            "rocksdb.block-cache-usage",
        )
        return sum(self._db.property_int_value(name) or 0 for name in names)

    def close(self) -> None:
        """Flushes and closes; the folder can be opened again at once."""
        if not self._read_only:
            self._db.flush()
        self._db.close()


class MemoryStore:
    """The same in a dict, for a run that keeps nothing."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        # first byte of keys -> all of those keys in order, perhaps with some that were deleted
        self._ordered: dict[int, list[bytes]] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return list(map(self._rows.get, keys))

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = ()) -> None:
        rows = self._rows
        for key in deletes:
            rows.pop(key, None)
        for key, value in puts:
            if key not in rows:
                self._ordered.pop(key[0], None)
            rows[key] = value

    def scan(
        self, start: bytes, end: bytes, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        for first in range(start[0], end[0] + 1):
            ordered = self._in_order(first)
            at = bisect_left(ordered, start)
            passed = 0
            while at < len(ordered) and ordered[at] < end and len(found) != limit:
                value = self._rows.get(ordered[at])
                if value is None:
                    passed += 1
                else:
                    found.append((ordered[at], value))
                at += 1
            if passed * 2 > len(ordered):
                self._ordered.pop(first)
        yield from found

    def _in_order(self, first: int) -> list[bytes]:
        ordered = self._ordered.get(first)
        if ordered is None:
            ordered = sorted(key for key in self._rows if key[0] == first)
            self._ordered[first] = ordered
        return ordered

    def close(self) -> None:
        self._rows.clear()
        self._ordered.clear()


def _options(memory_bytes: int) -> Options:
    """Measured with sessions of a million accounts, read and written in random order: these look
    up and write a row in two thirds of the time that RocksDB's defaults take. At six million rows
    an index in pieces looks up a row in a tenth of the time, and a hundred in two fifths.
    """
    table = BlockBasedOptions()
    table.set_block_cache(Cache(memory_bytes // 3))
    table.set_bloom_filter(BLOOM_BITS, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    # in pieces, of which the cache keeps those that are asked for: whole ones of a few million rows
    # have no place in it and were read anew for each row
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    table.set_metadata_block_size(INDEX_BYTES)
    table.set_pin_top_level_index_and_filter(True)
    table.set_data_block_index_type(DataBlockIndexType.binary_and_hash())
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    # two of them: one filling, one being written out
    options.set_write_buffer_size(memory_bytes // 3)
    options.set_max_write_buffer_number(2)
    # what is looked up is mostly not in memory: found out without a search
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_memtable_whole_key_filtering(True)
    options.set_level_zero_file_num_compaction_trigger(L0_FILES)
    options.set_max_open_files(OPEN_FILES)
    # the two youngest levels are rewritten soon, and hold a small part of the rows
    young, old = DBCompressionType.none(), DBCompressionType.lz4()
    options.set_compression_per_level([young] * 2 + [old] * 5)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1 << 20)
    return options


def _free_name(path: Path) -> Path:
    n = 1
    while (aside := path.with_name(f"{path.name}.damaged-{n}")).exists():
        n += 1
    return aside
