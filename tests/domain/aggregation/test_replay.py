"""A record that a dead letter kept is folded as any other, and leaves no mark of a position."""

from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from domain.aggregation.compiled import compile_fold
from domain.aggregation.fold import Fold
from domain.aggregation.replay import fold_replayed
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import History, Row, Session
from domain.aggregation.sources import apart, replayed
from tests.domain.aggregation.folding import START_MS, a_document

SUM: list[dict[str, Any]] = [{"field": "x", "operation": "sum"}]
P = 3


def a_rule(**changes: Any) -> Rule:
    return compile_rule(load_aggregator(a_document(SUM, **changes)), 1)


def replay(row: Row, offset: int, rule: Rule, *, values: Any = (5,), **how: Any) -> Fold:
    ctx = Fold(rule, "usage", apart(P), lambda _, __: rule, key=b'["a"]')
    ctx.seen.update(how.pop("seen", {}))
    entry = (offset, how.pop("at", START_MS), values)
    fold_replayed(row, entry, compile_fold(rule), ctx, P, counted=how.pop("counted", False))
    return ctx


def a_row(*sources: list[Any], **changes: Any) -> Row:
    count = sum(source[4] for source in sources)
    session = Session(
        1, START_MS, START_MS, START_MS, START_MS + 3_600_000, 1, count, [10], list(sources)
    )
    return Row(open=session, touched=START_MS, **changes)


@pytest.mark.parametrize(
    ("before", "offset", "after"),
    [
        # behind the mark, which stays
        ([["usage", P, 5, 9, 4]], 7, [["usage", P, 5, 9, 4], ["usage", ~P, 7, 7, 1]]),
        # among those replayed before: first, last and number grow
        (
            [["usage", P, 5, 9, 4], ["usage", ~P, 6, 7, 2]],
            3,
            [["usage", P, 5, 9, 4], ["usage", ~P, 3, 7, 3]],
        ),
        (
            [["usage", P, 5, 9, 4], ["usage", ~P, 6, 7, 2]],
            8,
            [["usage", P, 5, 9, 4], ["usage", ~P, 6, 8, 3]],
        ),
        # other topics' and partitions' are none of them
        (
            [["usage", P, 5, 9, 4], ["other", ~P, 6, 7, 2], ["usage", ~4, 6, 7, 2]],
            8,
            [["usage", P, 5, 9, 4], ["other", ~P, 6, 7, 2], ["usage", ~4, 6, 7, 2],
             ["usage", ~P, 8, 8, 1]],
        ),
        # the first source, of which the session's id is made, stays as it is
        ([["usage", ~P, 6, 7, 2]], 8, [["usage", ~P, 6, 7, 2], ["usage", ~P, 8, 8, 1]]),
        (
            [["usage", ~P, 6, 7, 2], ["usage", ~P, 8, 8, 1]],
            4,
            [["usage", ~P, 6, 7, 2], ["usage", ~P, 4, 8, 2]],
        ),
        (
            [["usage", ~P, 6, 7, 2], ["usage", ~P, 8, 8, 1], ["usage", P, 9, 9, 1]],
            4,
            [["usage", ~P, 6, 7, 2], ["usage", ~P, 4, 8, 2], ["usage", P, 9, 9, 1]],
        ),
    ],
)  # fmt: skip
def test_it_stands_with_the_other_replayed_ones(
    before: list[list[Any]], offset: int, after: list[list[Any]]
) -> None:
    row = a_row(*before)
    replay(row, offset, a_rule())
    assert row.open is not None
    assert row.open.sources == after
    assert row.open.accumulators == [15]
    assert row.applied == ()


def test_one_that_opens_a_session_is_its_first_source() -> None:
    row = Row()
    ctx = replay(row, 8, a_rule())
    assert row.open is not None
    assert row.open.sources == [["usage", ~P, 8, 8, 1]]
    assert ctx.totals.count["in"] == 1


def test_one_that_opens_the_next_session_leaves_no_position() -> None:
    row = a_row(["usage", P, 5, 9, 4], ["usage", ~P, 7, 7, 1])
    replay(row, 8, a_rule(), at=START_MS + 3_600_000)
    assert row.open is not None
    assert row.open.sources == [["usage", ~P, 8, 8, 1]]
    assert row.sequence == 1
    assert row.applied == (["usage", P, 9], ["usage", ~P, 7])


@pytest.mark.parametrize(("counted", "moved"), [(True, -1), (False, 0)])
def test_a_counted_one_moves_from_the_rejected(counted: bool, moved: int) -> None:
    row = Row(history=History(accepted=2, rejected=2), touched=START_MS)
    ctx = replay(row, 8, a_rule(), counted=counted)
    totals = ctx.totals.count
    assert (totals["in"], totals["rejected"], totals["open"]) == (1 + moved, moved, 1)
    assert row.history is not None
    assert (row.history.accepted, row.history.rejected) == (3 + moved, 2 + moved)


def test_one_that_is_refused_again_leaves_no_position() -> None:
    ends = {"by": "timeout", "timeout": {"timestamp_field": "ends"}}
    row = Row(applied=(["usage", P, 9],), touched=START_MS)
    ctx = replay(row, 8, a_rule(flush=ends), values=(5, None))
    assert [each.reason for each in ctx.rejections] == ["no_timeout"]
    assert row.open is None
    assert row.applied == (["usage", P, 9],)


def test_its_own_first_sight_makes_it_no_duplicate() -> None:
    rule, row = a_rule(event_id="id"), Row()
    own = {b"e": ["usage", P, 8, START_MS, START_MS + rule.dedup_ms]}
    ctx = replay(row, 8, rule, values=(5, b"e"), seen=own)
    assert ctx.totals.count["open"] == 1
    assert row.seen == ()


@pytest.mark.parametrize("sight", [["usage", P, 7], ["usage", 2, 8], ["other", P, 8]])
def test_the_sight_of_another_record_makes_it_one(sight: list[Any]) -> None:
    rule, row = a_rule(event_id="id"), Row()
    other = {b"e": [*sight, START_MS, START_MS + rule.dedup_ms]}
    ctx = replay(row, 8, rule, values=(5, b"e"), seen=other)
    assert (ctx.totals.count["open"], ctx.totals.count["duplicates"]) == (0, 1)
    assert row.applied == ()


def test_its_first_sight_is_kept_under_the_input_partition() -> None:
    rule = a_rule(event_id="id")
    before = ["usage", 9, rule.dedup_ms, [b"d", 1, START_MS], 0, 0]
    row = Row(seen=(before,))
    replay(row, 8, rule, values=(5, b"e"))
    assert row.seen == (before, ["usage", P, rule.dedup_ms, [b"e", 8, START_MS], 0, 0])


def test_the_numbers_of_replayed_records_are_below_zero_and_apart() -> None:
    assert replayed(P) == -4
    assert apart(P) not in (P, replayed(P))
