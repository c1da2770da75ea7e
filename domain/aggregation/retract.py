"""Takes one event back that was counted: a flush of its own, with everything negative.

An event in an open session has that flushed first, so billing never holds something negative for an
event that it may not receive: the session could be deleted, or expire. The retraction is the flush
behind it, so what billing adds up over all flushes of the key is as if the event had never come.
Control totals count it so: one record less `in`, one less `flushed`. Which event was taken back is
remembered with its first sight, so it happens once, and the event stays known as a duplicate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b, sha256
from typing import Any

from domain.aggregation.compiled import compile_fold
from domain.aggregation.document import Flush
from domain.aggregation.flush import SourceName, enveloped, flushed_record, id_at, to_json
from domain.aggregation.fold import AUDIT, Fold
from domain.aggregation.instants import print_instant
from domain.aggregation.numbers import Number, canonical
from domain.aggregation.operations import OPERATIONS, minus, plus
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import NEVER, Row, Session
from domain.aggregation.sights import run_of
from domain.aggregation.sources import input_partition
from domain.aggregation.totals import Totals, session_sums


def obstacles(rule: Rule) -> list[str]:
    """The results of operations that nothing negative can correct; with any, none is taken back."""
    return [
        slot.operation.name
        for slot in rule.slots
        if not OPERATIONS[slot.operation.operation].additive
    ]


def negative_of(rule: Rule, view_of: Callable[[Mapping[str, Any]], Any]) -> Any:
    """(session key, accumulators) of one record, negative; None when the rule passes it over.

    `view_of` gives, for the paths that are asked for (path -> kind), the attributes and the view of
    the record. Raises Reject as the record's routing would.
    """
    alone = replace(rule.document, flush=Flush("end_of_stream"), event_id=None)
    plain = compile_rule(alone, rule.version)
    attributes, view = view_of(plain.paths())
    found = plain.extractor(attributes)(view)
    if found is None:
        return None
    row = Row()
    compile_fold(plain)(row, [(0, 0, found[1])], Fold(plain, "", 0, lambda _, __: plain))
    if row.open is None:
        return None
    # what is no number can't be taken back: see `obstacles`
    numbers = (v if isinstance(v, int | Decimal) else None for v in row.open.accumulators)
    return found[0], [at_rest(value) for value in numbers]


def at_rest(value: Number | None) -> Number | None:
    """The number with its sign turned, as MessagePack can hold it."""
    if value is None:
        return None
    turned = minus(0, value)
    wide = isinstance(turned, int) and not -(1 << 63) <= turned < 1 << 63
    return Decimal(turned) if wide else turned


def event_key(value: object) -> bytes:
    """What an event id is remembered as; that of a CloudEvent is its source, \\0 and its id."""
    return blake2b(canonical(value), digest_size=16).digest()


def flush_id_of(rule: Rule, key: bytes, sight: Sequence[Any]) -> str:
    """The id of the flush that takes back the event first seen there."""
    return sha256(f"retraction {id_at(rule, key, sight)}".encode()).hexdigest()


def counted_in(session: Session | None, topic: str, partition: int, offset: int) -> bool:
    """Whether the open session may have counted the record there."""
    sources = [] if session is None else session.sources
    return any(
        each[0] == topic and input_partition(each[1]) == partition and each[2] <= offset <= each[3]
        for each in sources
    )


def retract(
    rule: Rule,
    rule_of: Callable[[str, int], Rule],
    key: bytes,
    row: Row,
    event_id: bytes,
    sight: Sequence[Any],
    accumulators: list[Any],
    told: Mapping[str, Any],
    source_name: SourceName = str,
) -> Totals:
    """Decides the retraction in the row: the flush of the event's session when it is open, outputs,
    sequence, control totals, the mark.

    `sight` is [topic, partition, offset, timestamp, forget at]; `told` goes to the audit, with
    `id`. Returns how the shard's totals change.
    """
    topic, partition, offset, timestamp = sight[:4]
    numbers = [Decimal(value) if isinstance(value, str) else value for value in accumulators]
    session = Session(
        rule.version, timestamp, timestamp, timestamp, NEVER, rule.version, -1, numbers,
        [[topic, partition, offset, offset, 1]],
    )  # fmt: skip
    ctx = Fold(rule, topic, partition, rule_of, source_name=source_name)
    ctx.key = key
    history = ctx.history_of(row)
    if counted_in(row.open, topic, partition, offset):
        ctx.close(row, "COMMAND", {"command_id": told["id"]})
    record = flushed_record(
        rule, rule, key, session,
        sequence=row.sequence + 1, flush_type="COMMAND", source_name=source_name,
    )  # fmt: skip
    record["id"] = flush_id_of(rule, key, sight)
    record["values"] |= dict.fromkeys(record["parts"])  # of one event less there is no average
    record["explain"]["rule"] = f"command {told['id']}"
    record["retracts"] = {
        "event_id": told["event_id"], "topic": source_name(topic), "partition": partition,
        "offset": offset,
    }  # fmt: skip
    audit = {
        **told, "event": "event_retracted", "subject": record["id"], "aggregator": rule.name,
        "flush_id": record["id"], "group": record["group"], "counted_at": print_instant(timestamp),
    }  # fmt: skip
    row.outputs = (
        *row.outputs,
        [rule.document.output.topic, key, enveloped(rule, record, key)],
        [AUDIT, key, to_json(audit)],
    )
    row.sequence += 1
    row.touched = max(row.touched, timestamp)
    row.seen = (*row.seen, run_of(event_id, list(sight), taken_back=True))
    totals = ctx.totals
    totals.flushes["COMMAND"] = totals.flushes.get("COMMAND", 0) + 1
    history.accepted -= 1
    history.flushed -= 1
    for place, kept in (("in", history.accepted_sums), ("flushed", history.flushed_sums)):
        totals.add(place, -1)
        for name, value in session_sums(session, rule.sums).items():
            totals.add_sum(place, name, value)
            kept[name] = plus(kept.get(name), value)
    return totals
