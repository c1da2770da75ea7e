"""What changed between two documents."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents.diff import Change, diff
from config.documents.reading import parse_documents
from tests.config.documents.samples import document

SMALL = st.recursive(
    st.sampled_from([None, True, 0, 1, "1", Decimal("1.0"), ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abc"), SMALL, max_size=3)


def typed(value: Any) -> Any:
    """Comparable by JSON value."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return ("bool" if isinstance(value, bool) else "", value)


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_there_are_changes_exactly_when_documents_differ(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert (diff(old, new) == []) == (typed(old) == typed(new))


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_the_other_way_round_changes_swap(old: dict[str, Any], new: dict[str, Any]) -> None:
    there = {change.path: (repr(change.before), repr(change.after)) for change in diff(old, new)}
    back = {change.path: (repr(change.after), repr(change.before)) for change in diff(new, old)}
    assert there == back


def test_changes_have_paths_and_both_values() -> None:
    new = deepcopy(document())
    new["ttl_days"] = 90
    new["group"]["fields"].append("cell")
    new["flush"]["timeout"] = {"timestamp_field": "e"}
    del new["event_time"]
    assert diff(document(), new) == [
        Change("group.fields[2]", after="cell"),
        Change("flush.timeout.timestamp_field", after="e"),
        Change("flush.timeout.duration", before={"hours": 1}),
        Change("ttl_days", 180, 90),
        Change("event_time", before="timestamp"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1, Decimal("1.0"), True),
        (1, Decimal("1e0"), True),
        (1, "1", False),
        (1, True, False),
        (None, msgspec.UNSET, False),
        ([], {}, False),
        ([1], 1, False),
        ({}, None, False),
    ],
)
def test_values_are_compared_by_type_and_number(old: object, new: object, same: bool) -> None:
    before = {} if old is msgspec.UNSET else {"a": old}
    after = {} if new is msgspec.UNSET else {"a": new}
    assert (diff(before, after) == []) == same


def test_yaml_and_json_of_one_document_are_equal() -> None:
    ((yaml, _),) = parse_documents("a: 1.0\nb: {c: [x, '1']}\n", "f.yaml")
    ((json, _),) = parse_documents('{"b": {"c": ["x", "1"]}, "a": 1}', "f.json")
    assert diff(yaml, json) == []


def test_no_document_before_or_after_is_all_added_or_removed() -> None:
    assert diff(None, {"a": 1}) == [Change("a", after=1)]
    assert diff({"a": 1}, None) == [Change("a", before=1)]
    assert diff(None, None) == []


def test_what_is_not_there_is_not_sent() -> None:
    assert msgspec.json.encode(diff({"a": None}, {"b": 1})) == (
        b'[{"path":"b","after":1},{"path":"a","before":null}]'
    )
