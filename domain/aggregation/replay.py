"""Applying a record that a dead letter kept: as any other, but whatever the positions say.

Its position lies at or below marks that the session has long passed, so it is folded under a
number of its own (see `sources.py`). That it is applied once is its caller's to know.
"""

from domain.aggregation.compiled import Entry, FoldFunction
from domain.aggregation.fold import Fold
from domain.aggregation.session import Row
from domain.aggregation.sources import apart, replayed


def fold_replayed(
    row: Row, entry: Entry, fold: FoldFunction, ctx: Fold, partition: int, *, counted: bool
) -> None:
    """Folds one record of that input partition into its row; `ctx.partition` is `apart(partition)`.

    `counted`: the record is among the aggregator's rejected ones and moves from there to wherever
    it comes now; else it comes in.
    """
    position = [ctx.topic, partition, entry[0]]
    for sight in ctx.seen.values():
        if sight[:3] == position:  # its own first sight: it was refused after that
            sight[1] = apart(partition)
    if counted:
        ctx.take_back(row)
    fold(row, (entry,), ctx)
    for run in row.seen:
        if run[1] == apart(partition):
            run[1] = partition
    _settle(row, ctx.topic, partition)


def _settle(row: Row, topic: str, partition: int) -> None:
    """Puts the record's source with those of other replayed records.

    The first source of a session stays as it is: the session's id is made of it.
    """
    alone, together = apart(partition), replayed(partition)
    if any(entry[1] == alone for entry in row.applied):
        row.applied = tuple(entry for entry in row.applied if entry[1] != alone)
    if row.open is None:
        return
    sources = row.open.sources
    known = None
    for source in sources[1:]:
        if source[0] == topic and source[1] == together:
            known = source
    for i, source in enumerate(sources):
        if source[0] == topic and source[1] == alone:
            if known is None:
                source[1] = together
            else:
                known[2], known[3] = min(known[2], source[2]), max(known[3], source[3])
                known[4] += source[4]
                del sources[i]
            return
