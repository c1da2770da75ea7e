"""A value is spelled so that reading it gives the value back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.literals import literal, spelled

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(-(10**9), 10**9, places=3),
    st.text(),
    st.sampled_from(("5", "-1.50", "true", "null", '"x"', "[1]", "{}", "2025", "", "1e5")),
)


@given(VALUES)
def test_what_is_spelled_reads_the_same(value: object) -> None:
    read = literal(spelled(value))
    assert read == value
    assert isinstance(read, str | bool) is isinstance(value, str | bool)


@pytest.mark.parametrize(
    ("value", "text"), [("acc-1", "acc-1"), ("5", '"5"'), (5, "5"), (True, "true"), (None, "null")]
)
def test_text_is_in_quotes_only_where_it_must(value: object, text: str) -> None:
    assert spelled(value) == text
