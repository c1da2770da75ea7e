"""Which open sessions an operator's command is for, and what is told of it."""

from dataclasses import replace
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from domain.aggregation.command import Command, Selection, compiled, group_names
from domain.aggregation.document import All, Any_, Compare, Condition, Not
from domain.aggregation.keys import within
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Session
from tests.domain.aggregation.folding import a_document

AGGREGATE: list[dict[str, Any]] = [
    {"field": "x", "operation": "sum"},
    {"field": "x", "operation": "average", "scale": 1},
    {"field": "*", "operation": "count", "as": "records"},
    {"field": "cell", "operation": "carry_last"},
]
ZONED = {"field": "at", "period": "day", "timezone_field": "zone"}
ASKED = Command("c1", "flush", "acc", {"account": "a"}, None, None, "ada", "a test", {"group": 1})


def a_rule(fields: list[str], *periods: dict[str, Any], version: int = 1) -> Rule:
    group = {"fields": fields, "periods": list(periods)}
    return compile_rule(load_aggregator(a_document(AGGREGATE, group=group)), version)


ACCOUNT, RENEWED = a_rule(["account"]), a_rule(["account"], version=2)
BOTH = a_rule(["account", "user"], version=3)
DAILY = a_rule(["account"], ZONED, version=4)


def a_session(count: int = 3) -> Session:
    return Session(1, 0, 0, 0, 0, 1, count, [7, 14, 2, [0, b'"lund"']], [["usage", 0, 1, 4, count]])


def test_the_audit_is_told_who_asked_what_and_why() -> None:
    assert ASKED.told("now") == {
        "command_id": "c1", "action": "flush", "actor": "ada", "reason": "a test", "at": "now",
    }  # fmt: skip
    assert ASKED.meant() == {"group": 1}


def test_of_an_erasure_the_fields_are_told_and_no_values() -> None:
    erase = replace(ASKED, action="erase", group={"user": "u", "account": "a"})
    assert erase.meant() == {"fields": ["account", "user"]}
    assert replace(erase, group=None).meant() == {"fields": []}


def test_all_group_values_name_single_sessions() -> None:
    chosen = Selection([ACCOUNT], ASKED)
    key = ACCOUNT.prefix + b'["a"]'
    assert chosen.ranges == [((key, key + b"\0"), ())]
    assert chosen.exact == [(ACCOUNT, b'["a"]')]
    assert chosen.takes(ACCOUNT, b'["a"]', a_session())


def test_values_keep_their_type() -> None:
    chosen = Selection([ACCOUNT], replace(ASKED, group={"account": 5}))
    assert chosen.exact == [(ACCOUNT, b"[5]")]


def test_versions_that_group_alike_are_looked_at_once_and_in_order() -> None:
    both = sorted([ACCOUNT, BOTH], key=lambda rule: rule.prefix)
    for rules in ([ACCOUNT, RENEWED, BOTH], [BOTH, RENEWED, ACCOUNT]):
        chosen = Selection(
            rules, replace(ASKED, group=None, filter=Compare("x", "exists", None, None))
        )
        assert chosen.ranges == [(within(rule.prefix), ()) for rule in both]
        assert chosen.exact is None


def test_an_account_is_meant_in_every_grouping_that_has_it() -> None:
    wide = ((BOTH.prefix + b'["a",', BOTH.prefix + b'["a"-'), ())
    single = ((ACCOUNT.prefix + b'["a"]', ACCOUNT.prefix + b'["a"]\0'), ())
    for rules in ([ACCOUNT, BOTH], [BOTH, ACCOUNT]):
        chosen = Selection(rules, ASKED)
        assert chosen.ranges == sorted([wide, single])
        assert chosen.exact is None  # whoever the user is


def test_groupings_that_lack_a_field_are_passed_over() -> None:
    users = a_rule(["user"], version=5)
    for rules in ([ACCOUNT, users, BOTH], [BOTH, users, ACCOUNT]):
        chosen = Selection(rules, replace(ASKED, group={"user": "u", "account": "a"}))
        assert chosen.exact == [(BOTH, b'["a","u"]')]
        assert len(chosen.ranges) == 1
    nothing = Selection([ACCOUNT], replace(ASKED, group={"user": "u"}))
    assert (nothing.ranges, nothing.exact) == ([], [])


def test_several_groupings_may_each_name_single_sessions() -> None:
    other = a_rule(["account"], {"field": "at", "period": "year", "timezone": "UTC"}, version=6)
    again = a_rule(["at", "account"], version=7)
    chosen = Selection([again, other], replace(ASKED, group={"account": "a", "at": "2024"}))
    found = {(rule.version, key) for rule, key in chosen.exact or ()}
    assert found == {(6, b'["a","2024"]'), (7, b'["2024","a"]')}
    assert len(chosen.ranges) == 2


def test_values_further_right_are_tested_row_by_row() -> None:
    chosen = Selection([BOTH], replace(ASKED, group={"user": "u"}))
    assert chosen.ranges == [(within(BOTH.prefix + b"["), ((1, (b'"u"',)),))]
    assert chosen.exact is None


@pytest.mark.parametrize("other", range(6))
def test_a_grouping_that_lacks_the_field_hides_no_other(other: int) -> None:
    chosen = Selection([a_rule([f"other{other}"]), ACCOUNT], ASKED)
    assert chosen.exact == [(ACCOUNT, b'["a"]')]


def test_a_filter_decides_over_each_session() -> None:
    big = Compare("meta.count", ">=", 3, "number")
    sums = Compare("sum_x", "==", 7, "number")
    condition = All((big, sums, Compare("account", "==", "a", "any")))
    chosen = Selection([ACCOUNT], replace(ASKED, group=None, filter=condition))
    assert chosen.takes(ACCOUNT, b'["a"]', a_session(3))
    assert not chosen.takes(ACCOUNT, b'["b"]', a_session(3))
    assert not chosen.takes(ACCOUNT, b'["a"]', a_session(2))


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (Compare("meta.count", "==", 3, "number"), True),
        (Compare("records", "==", 3, "number"), True),
        (Compare("records", "==", 7, "number"), False),
        (Compare("sum_x", "==", 7, "number"), True),
        (Compare("average_x", "==", 7, "number"), True),  # 14 / 2
        (Compare("carry_last_cell", "==", "lund", "any"), True),
        (Compare("account", "==", "a", "any"), True),
        (Compare("account", "==", "2024-09-03", "any"), False),
        (Compare("at", "==", "2024-09-03", "any"), True),
        (Compare("at", "==", "a", "any"), False),
        (Compare("zone", "exists", None, None), False),
        (Compare("nothing", "exists", None, None), False),
        (Compare("nothing", "!=", "a", "any"), False),
        (Not(Compare("nothing", "exists", None, None)), True),
        (All((Compare("account", "==", "a", "any"), Compare("sum_x", "==", 7, "number"))), True),
        (All((Compare("account", "==", "a", "any"), Compare("sum_x", "==", 8, "number"))), False),
        (Any_((Compare("account", "==", "b", "any"), Compare("sum_x", "==", 7, "number"))), True),
        (Any_((Compare("at", "==", "a", "any"), Compare("account", "==", "a", "any"))), True),
    ],
)
def test_a_condition_looks_at_results_and_group_values(condition: Condition, taken: bool) -> None:
    found = compiled(condition)(DAILY, b'["a","2024-09-03","UTC"]', a_session())
    assert found is taken


def test_every_field_that_sessions_are_grouped_by_is_named_once() -> None:
    assert group_names([ACCOUNT, DAILY, BOTH]) == ["account", "at", "user"]
    assert group_names([]) == []
