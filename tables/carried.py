"""Event ids that rows brought along in the changelog, but no block.

Any part of a commit's records may have survived a kill. Where a row did and the block with its ids
did not, the ids are in that record of the row only, and gone when the row is written again: so the
block is written anew before anything else is.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from domain.aggregation.sights import SIGHT
from tables.blocks import gather, put_blocks
from tables.changes import Changes
from tables.layout import MARKS, decode_any, encode, seen_key
from tables.store import KeyedStore

if TYPE_CHECKING:
    from tables.shard import Shard

PIECE = 5_000  # runs looked at together
Run = list[Any]


class Carried:
    """Collects runs of rows. Those whose blocks are there are let go of by the piece."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store
        self._waiting: list[tuple[bytes, Run]] = []
        self._lost: list[tuple[bytes, Run]] = []

    def add(self, row_key: bytes, runs: Iterable[Run]) -> None:
        """Runs of a row as it was read."""
        self._waiting += [(row_key, run) for run in runs]

    def look(self, least: int = 0) -> None:
        """Looks for the blocks of what was collected, all that were read being in the store; not
        for fewer than `least` runs."""
        if len(self._waiting) > least:
            self._lost += _missing(self._store, self._waiting)
            self._waiting = []

    def lost(self, now_ms: int) -> list[tuple[bytes, Run]]:
        """Runs of ids that are still to be known and have no block, all that were read being in the
        store."""
        self.look()
        found: list[tuple[bytes, Run]] = []
        for row_key, run in _missing(self._store, self._lost):
            left = [each for each in _triples(run[3]) if each[2] + run[2] > now_ms]
            if left:
                run[3] = [part for each in left for part in each]
                found.append((row_key, run))
        self._lost = found
        return found

    async def settle(self, shard: "Shard") -> None:
        """Writes the blocks that are missing, when everything was read and is claimed: durable in
        the changelog first, then in the store.
        """
        changes = Changes()
        for row_key, run in self.lost(shard.marks.effective_now):
            gather(changes.firsts, row_key, [run], 0)
        self._lost = []
        if not changes.firsts:
            return
        shard.marks.blocks, log = put_blocks(changes, shard.marks.blocks)
        if shard.changelog is not None:
            await shard.changelog.append(log)
        shard.store.write([*changes.puts, (MARKS, encode(shard.marks))])


def _missing(store: KeyedStore, runs: list[tuple[bytes, Run]]) -> list[tuple[bytes, Run]]:
    """The runs with only those ids that the store has no sight of, or an earlier one."""
    keys = [seen_key(row_key, event_id) for row_key, run in runs for event_id in run[3][::3]]
    found = iter(store.get_many(keys))
    missing: list[tuple[bytes, Run]] = []
    for row_key, run in runs:
        left = [each for each in _triples(run[3]) if not _is_known(next(found), run, each[2])]
        if left:
            flat = [part for each in left for part in each]
            missing.append((row_key, [*run[:3], flat, *run[4:]]))
    return missing


def _is_known(data: bytes | None, run: Run, timestamp: int) -> bool:
    if data is None:
        return False
    value = decode_any(data)
    if isinstance(value, int):
        return value >= int(run[5])
    return bool(value[3] >= timestamp and (len(value) > SIGHT or not run[4]))


def _triples(flat: list[Any]) -> list[tuple[Any, Any, Any]]:
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
