"""The fold of one version of a document, compiled into one function.

Per record it runs the operations' own lines on local variables and nothing else; what happens
rarely is `Fold`'s. The text comes from a checked document: field names never enter it, only indexes
do.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from textwrap import indent
from typing import Any

from domain.aggregation.conditions import expression, predicate
from domain.aggregation.document import Compare
from domain.aggregation.extract import Input
from domain.aggregation.fold import Fold
from domain.aggregation.operations import NAMES, OPERATIONS
from domain.aggregation.rule import Rule
from domain.aggregation.session import Row, last_applied

Entry = tuple[int, int, Any]
"""(offset, broker timestamp ms, values as `extract.inputs_of` orders them)."""
FoldFunction = Callable[[Row, Sequence[Entry], Fold], bool]
"""Folds records of one key, in order, into its row; whether anything changed. Records at or below
the position already applied are skipped. It stops early when `Fold.full`: commit, then call again
with the same records.
"""

TEMPLATE = """\
def fold(row, entries, ctx):
    topic, partition = ctx.topic, ctx.partition
    session = row.open
{lone}
    if row.applied or session is not None and len(session.sources) > 1:
        last = last_applied(row, topic, partition)
    elif session is None:
        last = -1
    else:
        source = session.sources[0]
        last = source[3] if source[1] == partition and source[0] == topic else -1
    live = changed = False
    rises = ctx.rises
    due = 0
{firsts}
    for offset, timestamp, ({values}) in entries:
        if offset <= last:
            continue
        changed = True
        last = offset
{duplicate}
        if not live or timestamp >= due:
            if live:
{store_deep}
                live = False
            session = row.open
            if session is not None and timestamp < session.due and session.version == {version}:
                source = session.sources[0]
                if source[1] == partition and source[0] == topic: ctx.source = source
                else: session = ctx.session_for(row, offset, timestamp, {due_value})
            else:
                session = ctx.session_for(row, offset, timestamp, {due_value})
                if session is None:
                    if ctx.full: break
                    continue
{load}
            live = True
        count += 1
        applied = offset
        if timestamp > latest: latest = timestamp
        elif timestamp < first: first = timestamp
{steps}
{move_due}
{condition}
    if live:
{store}
{remember}
    return changed
"""

# One record for an open session that is not due: the most usual of all where there are many keys.
LONE = """\
if len(entries) == 1 and session is not None and row.history is None and not row.applied:
    (offset, timestamp, ({values})), = entries
    source = session.sources[0]
    if (
        offset > source[3] and timestamp < session.due and session.version == {version}
        and source[1] == partition and source[0] == topic and len(session.sources) == 1
    ):
        {accumulators} = session.accumulators
{before}
{steps}
        session.accumulators = [{rested}]
        session.count += 1
        latest = session.last
        if timestamp > latest: session.last = latest = timestamp
        elif timestamp < session.first: session.first = timestamp
        if latest > row.touched: row.touched = latest
        source[3] = offset
        source[4] += 1
        ctx.number += 1
        rises = ctx.rises
{rises}
        return True
"""

# first sights of event ids; what is no first sight is rare
FIRSTS = "seen, firsts = ctx.seen, []"
DUPLICATE = """\
if {v} in seen:
    if ctx.duplicate(row, {v}, offset, timestamp, firsts): continue
else:
    seen[{v}] = (topic, partition, offset, timestamp)
    firsts += ({v}, offset, timestamp)
"""
REMEMBER = "if firsts: row.seen = (*row.seen, [topic, partition, {dedup_ms}, firsts, 0, 0])"

LOAD = """\
source = ctx.source
base = count = session.count
first = session.first
latest = session.last
due = session.due
{accumulators} = session.accumulators
"""

STORE = """\
session.count = count
session.first = first
session.last = latest
session.accumulators = [{rested}]
source[3] = applied
source[4] += count - base
if latest > row.touched: row.touched = latest
ctx.number += count - base
{rises}
if row.history is not None: ctx.remember(row, count - base, ({rise_names}))
"""

# by how much a sum rose since it was loaded, added to what the others of the chunk rose by
RISE = """\
if b{at} is None: d{at} = a{at}
elif a{at}.__class__ is int and b{at}.__class__ is int: d{at} = a{at} - b{at}
else: d{at} = None if a{at} is b{at} else minus(a{at}, b{at})
t = rises[{j}]
kind = d{at}.__class__
if kind is int and t.__class__ is int: rises[{j}] = t + d{at}
elif kind is Decimal and t is not None: rises[{j}] = add(t, d{at})
else: rises[{j}] = plus(t, d{at})
"""


# what an operation takes -> the line under which its step runs
GIVEN = "if {v} is not None:\n"
ASKED = {
    "number": GIVEN + "    kind = {v}.__class__\n"
    "    if kind is str: {v}, kind = Decimal({v}), Decimal\n",  # as decimals travel
    "present": "if {v}:\n",
    "raw": GIVEN,
    "instant": GIVEN,
    "distinct": GIVEN,
}


def compile_fold(rule: Rule) -> FoldFunction:
    """The fold function of `rule`."""
    names: dict[str, Any] = {
        "last_applied": last_applied,
        "Decimal": Decimal,
        **NAMES,
    }
    inputs: dict[tuple[str, str], str] = {
        (item.kind, item.field): f"v{i}"
        for i, item in enumerate(rule.inputs)
        if item.kind != "test"
    }
    accumulators = "".join(f"a{i}, " for i in range(rule.width))
    before = "".join(f"b{at} = a{at}\n" for at, _ in rule.sums)
    load = LOAD.format(accumulators=f"[{accumulators}]") + before
    rises = "".join(RISE.format(at=at, j=j) for j, (at, _) in enumerate(rule.sums))
    store = STORE.format(
        rested=_rested(rule),
        rises=rises,
        rise_names="".join(f"d{at}, " for at, _ in rule.sums),
    )
    condition = ""
    if rule.document.flush.conditions is not None:
        test = expression(
            rule.document.flush.conditions, lambda compare: _leaf(names, rule, compare)
        )
        closing = f'{store}ctx.close(row, "CONDITION")\nlive = False\nif ctx.full: break\n'
        condition = f"if {test}:\n{indent(closing, '    ')}"
    event_id = inputs.get(("event_id", rule.document.event_id or ""))
    firsts = duplicate = remember = ""
    if event_id is not None:
        firsts, duplicate = FIRSTS, DUPLICATE.format(v=event_id)
        remember = REMEMBER.format(dedup_ms=rule.dedup_ms)
    due_value, move_due = "None", ""
    timeout = rule.document.flush.timeout
    if timeout is not None and timeout.kind == "timestamp_field":
        due_value = inputs["due", timeout.field or ""]
        later = "" if timeout.policy == "last" else f" and {due_value} > due"
        move_due = f"if {due_value} is not None{later}:\n    due = session.due = {due_value}\n"
        move_due += f"    session.due_version = {rule.version}\n"
    values = "".join(f"v{i}, " for i in range(len(rule.inputs)))
    steps, lone = _steps(rule, inputs), ""
    if not (duplicate or condition or move_due):
        lone = LONE.format(
            values=values, version=rule.version, accumulators=f"[{accumulators}]",
            before=indent(before, " " * 8), steps=indent(steps, " " * 8), rested=_rested(rule),
            rises=indent(rises, " " * 8),
        )  # fmt: skip
    source = TEMPLATE.format(
        values=values,
        lone=indent(lone, " " * 4),
        firsts=indent(firsts, " " * 4),
        duplicate=indent(duplicate, " " * 8),
        remember=indent(remember, " " * 4),
        due_value=due_value,
        version=rule.version,
        load=indent(load, " " * 12),
        steps=indent(steps, " " * 8),
        move_due=indent(move_due, " " * 8),
        condition=indent(condition, " " * 8),
        store=indent(store, " " * 8),
        store_deep=indent(store, " " * 16),
    )

    exec(compile(source, f"<fold {rule.name} {rule.version}>", "exec"), names)
    compiled: FoldFunction = names["fold"]
    return compiled


def _rested(rule: Rule) -> str:
    """The accumulators as a row keeps them."""
    found = ""
    for slot in rule.slots:
        if slot.operation.field != "*":
            how = OPERATIONS[slot.operation.operation]
            for at in range(slot.at, slot.at + how.slots):
                found += how.rest.format(a=f"a{at}") + ", "
    return found


def _steps(rule: Rule, inputs: dict[tuple[str, str], str]) -> str:
    """The lines of all operations, those of one input together: what is asked of it, once."""
    event_time, when = "0", "timestamp"
    if rule.document.event_time is not None:
        at = inputs["event_time", rule.document.event_time]
        event_time = when = f"(timestamp if {at} is None else {at})"
    steps: dict[str, str] = {}
    for slot in rule.slots:
        operation = slot.operation
        if operation.field == "*":
            continue
        how = OPERATIONS[operation.operation]
        value = inputs[how.takes, operation.field]
        if value not in steps:
            steps[value] = ASKED[how.takes].format(v=value)
        a, b, c = (f"a{slot.at + i}" for i in range(3))
        step = how.step.format(v=value, a=a, b=b, c=c, t=event_time, w=when)
        steps[value] += indent(step, "    ")
    return "".join(steps.values())


def _leaf(names: dict[str, Any], rule: Rule, compare: Compare) -> str:
    """A comparison of a flush condition: of the record, already made when it was taken; or of a
    result so far.
    """
    test = Input("test", compare.field, compare)
    if test in rule.inputs:
        return f"v{rule.inputs.index(test)}"
    name = f"test{len(names)}"
    names[name] = predicate(compare)
    if compare.field == "meta.count":
        return f"{name}(count)"
    slot = next(slot for slot in rule.slots if slot.operation.name == compare.field)
    if slot.operation.field == "*":
        return f"{name}(count)"
    how = OPERATIONS[slot.operation.operation]
    names[name] = predicate(compare, epoch=how.instant)
    if how.compared:
        return f"{name}(a{slot.at})"
    names[f"result{slot.at}"] = lambda *held: how.result(list(held), slot.operation)
    held = ", ".join(f"a{slot.at + i}" for i in range(how.slots))
    return f"{name}(result{slot.at}({held}))"
