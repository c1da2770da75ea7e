"""What folding does rarely: how a session ends, what history and control totals say of it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from domain.aggregation.compiled import compile_fold
from domain.aggregation.fold import Fold, Rejection, adopt
from domain.aggregation.rule import Rule, compile_rule, split_row_key
from domain.aggregation.session import Row, Session
from domain.aggregation.sights import sights_of
from domain.aggregation.sources import apart, input_partition, replayed
from domain.aggregation.totals import Totals, contribution
from tests.domain.aggregation.folding import START_MS, a_document

DAY_MS = 86_400_000
SUM: list[dict[str, Any]] = [{"field": "x", "operation": "sum"}]
BY_FIELD = {"by": "timeout", "timeout": {"timestamp_field": "ends"}}


def a_rule(aggregate: list[dict[str, Any]] = SUM, version: int = 1, **changes: Any) -> Rule:
    return compile_rule(load_aggregator(a_document(aggregate, **changes)), version)


def a_fold(rule: Rule, **changes: Any) -> Fold:
    def rule_of(name: str, version: int) -> Rule:
        assert (name, version) == (rule.name, rule.version)
        return rule

    return Fold(rule, "usage", 1, rule_of, key=b'["a"]', **changes)


def a_row() -> Row:
    source = ["usage", 1, 3, 9, 4]
    return Row(
        sequence=2,
        open=Session(1, START_MS, START_MS, START_MS + 500, START_MS + 1_000, 1, 4,
                     [Decimal("2.5")], [source]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flush_type", "deleted", "place", "topic"),
    [
        ("TIMEOUT", False, "flushed", "aggregates"),
        ("TTL_EXPIRED", False, "expired", "aggregates.audit"),
        ("COMMAND", True, "deleted", "aggregates.audit"),
    ],
)
def test_a_session_that_ends_is_in_one_place_of_totals_and_history(
    flush_type: str, deleted: bool, place: str, topic: str
) -> None:
    row, before, folding = a_row(), a_row(), a_fold(a_rule(event_id="id", dedup_days=1))
    folding.close(row, flush_type, deleted=deleted)
    ((to, key, content),) = row.outputs
    told = json.loads(content)
    assert (to, key, told["sequence"], told["meta"]["flushType"]) == (
        topic,
        b'["a"]',
        3,
        flush_type,
    )
    assert row.open is None and row.applied == (["usage", 1, 9],)
    assert row.sequence == (3 if place == "flushed" else 2)
    history = row.history
    assert history is not None
    assert (history.accepted, history.accepted_sums) == (4, {"x": Decimal("2.5")})
    for each in ("flushed", "expired", "deleted"):
        assert getattr(history, each) == (4 if each == place else 0)
        assert getattr(history, f"{each}_sums") == ({"x": Decimal("2.5")} if each == place else {})
    until = START_MS + 500 + DAY_MS
    assert history.withdrawn == ([] if place == "flushed" else [["usage", 1, 3, 9, until]])
    totals = folding.totals
    assert totals.flushes == {flush_type: 1} and totals.sessions == -1
    whole, sums = Totals(), ((0, "x"),)
    whole.merge(contribution(before, sums))
    whole.merge(totals)
    after = contribution(row, sums)
    assert (whole.sessions, whole.count) == (0, after.count)
    assert whole.sums[place] == after.sums[place] and whole.balanced() and after.balanced()
    folding.close(row, flush_type)
    assert len(row.outputs) == 1


def test_a_command_says_who_and_why_of_what_it_deleted() -> None:
    command = {"command_id": "c-1", "actor": "ada", "reason": "asked"}
    for deleted in (False, True):
        row = a_row()
        a_fold(a_rule()).close(row, "COMMAND", command, deleted=deleted)
        told = json.loads(row.outputs[0][2])
        assert told["explain"]["rule"] == "command c-1"
        assert told.get("actor") == ("ada" if deleted else None)


def test_a_flush_has_the_names_and_the_envelope_that_are_asked_for() -> None:
    rule = a_rule(output={"topic": "aggregates", "envelope": "cloudevents"})
    row = a_row()
    a_fold(rule, source_name=str.upper).close(row, "TIMEOUT")
    event = json.loads(row.outputs[0][2])
    assert event["subject"] == '["a"]'
    assert event["data"]["explain"]["sources"][0]["topic"] == "USAGE"


def test_a_rule_has_its_days_in_milliseconds_and_a_hash_of_what_it_groups_by() -> None:
    one, same = a_rule(ttl_days=2, event_id="id", dedup_days=3), a_rule(version=2)
    assert (one.ttl_ms, one.dedup_ms) == (2 * DAY_MS, 3 * DAY_MS)
    assert (one.spec, one.spec_hash) == (same.spec, same.spec_hash)
    assert len(one.spec_hash) == 16 and set(one.spec_hash) <= set("0123456789abcdef")
    other = a_rule(group={"fields": ["account", "cell"]})
    assert other.spec != one.spec and other.spec_hash != one.spec_hash


def test_what_was_withdrawn_is_forgotten_in_time() -> None:
    row, folding = a_row(), a_fold(a_rule(event_id="id", dedup_days=1))
    over, held = ["usage", 0, 0, 1, START_MS + 500], ["usage", 0, 2, 3, START_MS + 501]
    folding.history_of(row).withdrawn = [over, held]
    folding.close(row, "TTL_EXPIRED")
    assert row.history is not None
    assert row.history.withdrawn == [held, ["usage", 1, 3, 9, START_MS + 500 + DAY_MS]]
    plain = a_row()
    a_fold(a_rule()).close(plain, "TTL_EXPIRED")
    assert plain.history is not None and plain.history.withdrawn == []


def test_an_event_id_is_a_duplicate_elsewhere_until_its_days_are_over() -> None:
    row, folding = Row(), a_fold(a_rule(event_id="id", dedup_days=1))
    firsts: list[Any] = []
    folding.seen[b"p"] = ("usage", 1, 5, START_MS)
    assert not folding.duplicate(row, b"p", 5, START_MS, firsts)
    assert folding.duplicate(row, b"p", 6, START_MS + DAY_MS - 1, firsts)
    assert row.history is not None and (row.history.accepted, row.history.duplicates) == (1, 1)
    assert (row.applied, row.touched) == ((["usage", 1, 6],), START_MS + DAY_MS - 1)
    assert (folding.totals.count["in"], folding.totals.count["duplicates"]) == (1, 1)
    assert folding.duplicate(row, b"p", 7, START_MS + 1, firsts)
    assert (row.history.accepted, row.history.duplicates) == (2, 2)
    assert row.touched == START_MS + DAY_MS - 1  # the first look at a row that has nothing else
    assert firsts == []
    assert not folding.duplicate(row, b"p", 8, START_MS + DAY_MS, firsts)
    assert folding.seen[b"p"] == ("usage", 1, 8, START_MS + DAY_MS)
    assert firsts == [b"p", 8, START_MS + DAY_MS]
    for other in (("usage", 2, 5, START_MS), ("calls", 1, 5, START_MS)):
        folding.seen[b"q"] = other
        assert folding.duplicate(row, b"q", 5, START_MS, firsts)


def test_event_ids_first_seen_travel_in_the_row() -> None:
    rule = a_rule(event_id="id", dedup_days=1)
    row, folding = Row(), a_fold(rule)
    at = [item.kind for item in rule.inputs].index("event_id")

    def entry(offset: int, event_id: bytes) -> Any:
        values = tuple(event_id if i == at else None for i in range(len(rule.inputs)))
        return (offset, START_MS + offset, values)

    entries = [entry(1, b"p"), entry(2, b"q"), entry(3, b"p")]
    compile_fold(rule)(row, entries, folding)
    flat = [b"p", 1, START_MS + 1, b"q", 2, START_MS + 2]
    assert row.seen == (["usage", 1, DAY_MS, flat, 0, 0],)
    assert sights_of(row.seen)[b"q"] == ["usage", 1, 2, START_MS + 2, START_MS + 2 + DAY_MS]
    assert row.history is not None and row.history.duplicates == 1


def test_a_record_that_can_open_no_session_is_rejected_and_may_be_taken_back() -> None:
    row, folding = Row(), a_fold(a_rule(flush=BY_FIELD))
    assert folding.session_for(row, 5, START_MS, None) is None
    detail = "ends is absent or no instant, and there is no default_timeout"
    assert folding.rejections == [Rejection(5, START_MS, "no_timeout", detail)]
    assert (row.applied, row.touched, row.open) == ((["usage", 1, 5],), START_MS, None)
    assert row.history is not None and (row.history.accepted, row.history.rejected) == (1, 1)
    assert (folding.totals.count["in"], folding.totals.count["rejected"]) == (1, 1)
    assert folding.session_for(row, 5, START_MS, None) is None
    assert (row.history.accepted, row.history.rejected) == (2, 2)
    folding.take_back(row)
    folding.take_back(row)
    assert (row.history.accepted, row.history.rejected) == (0, 0)
    assert (folding.totals.count["in"], folding.totals.count["rejected"]) == (0, 0)
    session = folding.session_for(row, 6, START_MS, START_MS + 9)
    assert session is not None and session is row.open
    assert (session.due, session.count, session.sources) == (
        START_MS + 9, 0, [["usage", 1, 6, 6, 0]],
    )  # fmt: skip
    assert folding.totals.sessions == 1
    assert folding.session_for(row, 7, START_MS + 8, None) is session
    other = a_fold(a_rule(flush=BY_FIELD))
    other.partition = 0
    assert other.session_for(row, 2, START_MS, None) is session
    assert session.sources[1] == ["usage", 0, 2, 2, 0]
    assert folding.session_for(row, 8, START_MS + 9, START_MS + 20) is not session
    assert json.loads(row.outputs[0][2])["meta"]["flushType"] == "TIMEOUT"
    assert folding.totals.sessions == 1  # one opened, one ended, one opened


def test_outputs_beyond_the_limit_make_a_fold_full(monkeypatch: pytest.MonkeyPatch) -> None:
    row, folding = a_row(), a_fold(a_rule())
    folding.close(row, "TIMEOUT")
    size = len(row.outputs[0][2])
    assert not folding.full
    for limit, full in ((size, False), (size - 1, True)):
        monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", limit)
        again = a_fold(a_rule())
        again.close(a_row(), "TIMEOUT")
        assert again.full is full


def test_a_flush_is_late_when_the_period_was_flushed_before() -> None:
    period = {"period": "day", "field": "at", "timezone": "Europe/Stockholm"}
    rule = a_rule(group={"fields": ["account"], "periods": [period]})
    for sequence, late in ((0, None), (1, True)):
        row = a_row()
        row.sequence = sequence
        folding = a_fold(rule, last_call=True)
        folding.key = b'["a","2024-03-31"]'
        folding.close(row, "TIMEOUT")
        told = json.loads(row.outputs[0][2])
        assert (told.get("late"), told["meta"]["lastCall"]) == (late, True)


def test_an_older_layout_is_laid_out_anew_and_nothing_is_lost() -> None:
    average = {"field": "x", "operation": "average"}
    old = a_rule([*SUM, average, {"field": "*", "operation": "count"}])
    new = a_rule([{"field": "y", "operation": "max"}, *SUM], 2)
    session = Session(1, 0, 0, 0, 9, 1, 3, [7, 8, 3], [["usage", 0, 0, 2, 3]])
    adopt(session, old, new)
    assert (session.version, session.accumulators) == (2, [None, 7])
    assert session.dropped == {"average:x": [8, 3]}
    adopt(session, new, old)
    assert session.accumulators == [7, 8, 3]
    assert session.dropped == {"max:y": [None]}


def test_what_is_remembered_is_added_to_a_history_that_is_there() -> None:
    row, folding = Row(), a_fold(a_rule())
    folding.remember(row, 2, (5,))
    assert row.history is None
    history = folding.history_of(row)
    for number, rise in ((2, 5), (1, None), (3, Decimal("0.5"))):
        folding.remember(row, number, (rise,))
    assert (history.accepted, history.accepted_sums) == (6, {"x": Decimal("5.5")})
    folding.number, folding.rises[0] = 6, Decimal("5.5")
    for _ in range(2):
        totals = folding.totals
        assert (totals.count["in"], totals.count["open"]) == (6, 6)
        assert totals.sums["in"] == totals.sums["open"] == {"x": Decimal("5.5")}
    assert (folding.number, folding.rises) == (0, [None])


def test_a_row_key_is_taken_apart_as_it_was_put_together() -> None:
    rule = a_rule()
    key = b'["a\0b\0c"]'
    assert split_row_key(rule.prefix + key) == ("acc", rule.spec_hash, key)


def test_by_frequency_a_session_is_due_at_the_next_time_whatever_was_asked_before() -> None:
    timeout = {"frequency": {"every": "day", "at": "12:00"}}
    rule = a_rule(flush={"by": "timeout", "timeout": timeout})
    noon = 1_704_110_400_000  # 2024-01-01T12:00:00Z
    asked = [noon - 1, noon, noon + 1, noon - DAY_MS, noon + DAY_MS - 1, noon - 2]
    fires = [noon, noon + DAY_MS, noon + DAY_MS, noon, noon + DAY_MS, noon]
    assert [rule.due(at, None) for at in asked] == fires


def test_replayed_records_stand_apart_and_are_of_their_partition() -> None:
    for partition in (0, 1, 7):
        numbers = {partition, replayed(partition), apart(partition)}
        assert len(numbers) == 3
        assert {input_partition(number) for number in numbers} == {partition}
