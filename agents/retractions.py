"""Retractions of events on their way to the shard that counted them, and what it does with them.

A retraction is a record of its own on `<app>-sessions-in`, under the key RETRACTION, so it has its
place among the routed records of the partition. It carries what is to be taken back, so reading the
input topic again decides nothing. The shard does it when the event's first sight is the one that
the retraction names and has no mark yet; flush, audit, totals and mark are in one row record, so
one that comes again, after a kill or asked for twice, changes nothing.
"""

from typing import Any

import msgspec

from agents.folds import Folds
from domain.aggregation.flush import SourceName
from domain.aggregation.instants import print_instant
from domain.aggregation.retract import retract
from domain.aggregation.rule import Rule
from domain.aggregation.session import is_withdrawn
from domain.aggregation.sights import SIGHT
from tables.changes import Changes
from tables.layout import wake_key
from tables.shard import Shard

KEY = b"retraction"


class Retraction(msgspec.Struct, array_like=True):
    """`sight`: [topic, partition, offset] of the event; `accumulators` are its own, negative, as
    version `version` lays them out. `event` is its id as text, `at` when it was asked for.
    """

    id: str
    aggregator: str
    version: int
    revision: int
    key: bytes
    event_id: bytes
    event: str
    sight: list[Any]
    accumulators: list[Any]
    actor: str
    reason: str
    at: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Retraction).decode


async def carry_out(
    shard: Shard, folds: Folds, asked: Retraction, source_name: SourceName = str
) -> bool:
    """Takes the event back, in one commit; False when there is nothing to take back (any more)."""
    rule: Rule = folds.rule_of(asked.aggregator, asked.version)
    row_key = rule.prefix + asked.key
    known = shard.seen(row_key, [asked.event_id]).get(asked.event_id)
    if known is None or known[:3] != asked.sight[:3] or len(known) > SIGHT:
        return False
    row = shard.load([row_key])[row_key]
    if is_withdrawn(row, *asked.sight[:3]):
        return False
    told = {
        "id": asked.id,
        "event_id": asked.event,
        "actor": asked.actor,
        "reason": asked.reason,
        "at": print_instant(asked.at),
    }
    changes = Changes(effective_now=shard.marks.effective_now)
    if row.open is not None:  # it may be flushed; a due time that stays is noted again
        changes.dropped.append(wake_key(row.wake, row_key))
        row.wake = 0
    totals = retract(
        rule, folds.rule_of, asked.key, row, asked.event_id, known, asked.accumulators, told,
        source_name,
    )  # fmt: skip
    changes.rows[row_key] = (row, rule.ttl_ms)
    changes.totals[rule.name] = totals
    await shard.commit(changes)
    return True
