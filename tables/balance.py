"""The totals that a shard keeps, compared with those that its rows add up to."""

from typing import TYPE_CHECKING, Any

from domain.aggregation.rule import split_row_key
from domain.aggregation.totals import Totals, contribution
from domain.errors import Invariant
from tables.codec import decode_row
from tables.layout import ROW, ROW_END, unpack_totals

if TYPE_CHECKING:
    from tables.shard import Shard


def check(shard: "Shard") -> None:
    """Raises Invariant unless they are equal. Reads every row."""
    found = unpack_totals(shard.marks.retired)
    for key, data in shard.store.scan(ROW, ROW_END):
        row = decode_row(data)
        found.setdefault(split_row_key(key[1:])[0], Totals()).merge(
            contribution(row, shard.sums_of(key[1:], row.open))
        )
    for name in found.keys() | shard.totals.keys():
        kept, derived = shard.totals.get(name, Totals()), found.get(name, Totals())
        if kept.count != derived.count or _sums(kept) != _sums(derived):
            raise Invariant(
                "control totals are those of the rows",
                f"shard {shard.number}, {name}: {kept} {derived}",
            )


def _sums(totals: Totals) -> dict[str, dict[str, Any]]:
    """Without zeros."""
    return {place: {k: v for k, v in values.items() if v} for place, values in totals.sums.items()}
