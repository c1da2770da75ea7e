"""Takes rows out of a shard for good: open sessions, what is left of flushed ones, event ids.

What they counted stays, as of rows that are forgotten: records of open sessions as deleted, and
all of it among the shard's retired totals. Nothing of a row goes anywhere else. Records that come
again are known by the positions, kept for some days under a hash of the key.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.folds import Folds
from agents.replay_messages import REPLAY
from domain.aggregation.fold import Fold
from domain.aggregation.rule import split_row_key
from domain.aggregation.session import Row, set_applied
from tables.changes import Changes
from tables.forgetting import take_out
from tables.layout import decode_any, encode, gone_key, wake_key
from tables.shard import Shard

# Longer than records are kept on inputs that the product makes: none comes again later.
KNOWN_MS = 8 * 86_400_000


async def erase(shard: Shard, folds: Folds, rows: Sequence[tuple[bytes, Row]]) -> None:
    """Erases them; done again after a kill it does what is left. Rows are the caller's own."""
    now = shard.marks.effective_now
    changes = Changes(effective_now=now)
    until = now + KNOWN_MS
    for key, row in rows:
        name = split_row_key(key)[0]
        session = row.open
        rule = folds.latest(name) if session is None else folds.rule_of(name, session.version)
        fold = Fold(rule, "", 0, folds.rule_of)
        fold.key = split_row_key(key)[2]
        fold.close(row, "COMMAND", deleted=True)
        row.outputs = ()  # the audit gets counts only
        changes.totals.setdefault(name, fold.totals)
        if changes.totals[name] is not fold.totals:
            changes.totals[name].merge(fold.totals)
        changes.dropped.append(wake_key(row.wake, key))
        row.wake = 0
        changes.rows[key] = (row, rule.ttl_ms)
        changes.kept[gone_key(key)] = encode([until, _positions(shard, key, row)])
    over = [key for key, (at, _) in shard.gone.items() if at <= now and key not in changes.kept]
    changes.forget += over
    # Step 1: what they were is known, and no session of them is open.
    await shard.commit(changes)
    for key in over:
        del shard.gone[key]
    shard.gone |= {key: decode_any(body) for key, body in changes.kept.items()}
    # Step 2: event ids. Marks of replays tell nothing of the account, and stay: a message that asks
    # for one may come again.
    new = partial(Changes, effective_now=now)
    for taken in take_out(shard.store, [key for key, _ in rows], REPLAY, new):
        await shard.commit(taken)
    # Step 3: the rows.
    await shard.commit(Changes(effective_now=now, retire=[key for key, _ in rows]))
    # Step 4: their tombstones, and the last record that names them.
    await shard.commit(Changes(effective_now=now))


def _positions(shard: Shard, key: bytes, row: Row) -> list[list[Any]]:
    """What the row had applied, and those erased before it."""
    known = shard.gone.get(gone_key(key))
    for topic, partition, offset in known[1] if known is not None else ():
        set_applied(row, topic, partition, offset)
    return list(row.applied)
