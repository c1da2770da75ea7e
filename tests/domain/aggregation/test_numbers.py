"""Numbers against `fractions.Fraction`, which knows nothing of decimals."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation.numbers import (
    NotANumber,
    Number,
    add,
    average,
    canonical,
    canonical_key,
    depth,
    float_hook,
    number_from_text,
    number_of,
    plain,
    subtract,
    within_limits,
)
from domain.errors import Reject

DIGITS = st.text("0123456789", min_size=1, max_size=30)
INTEGERS = st.integers(-(10**40), 10**40).map(str)
TEXTS = st.builds(
    lambda whole, fraction, exponent: whole + fraction + exponent,
    st.one_of(st.sampled_from(["0", "-0", "1", "-1"]), INTEGERS),
    st.one_of(st.just(""), DIGITS.map(lambda digits: "." + digits)),
    st.one_of(st.just(""), st.integers(-60, 60).map(lambda e: f"e{e}"), st.just("E+5")),
)
NUMBERS = TEXTS.map(lambda text: number_from_text(text) or 0)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), NUMBERS, st.text(), st.sampled_from(["1", "true"])
)


def is_json_number(text: str) -> bool:
    """By another implementation of the grammar."""
    try:
        value = json.loads(text, parse_constant=lambda name: None)
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool) and text == text.strip()


@settings(deadline=None)
@given(TEXTS)
def test_a_json_number_keeps_its_value(text: str) -> None:
    number = number_from_text(text)
    assert number is not None
    assert Fraction(number) == Fraction(text)
    assert isinstance(number, int) == (not set(text) & set(".eE"))


@settings(deadline=None)
@given(st.text("0123456789+-.eE _٣７\n", max_size=5))  # too short to break a limit
def test_text_is_a_number_exactly_when_json_says_so(text: str) -> None:
    assert (number_from_text(text) is not None) == is_json_number(text)


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("9" * 1000, True),
        ("9" * 1001, False),
        ("-" + "9" * 1000, True),
        ("0." + "9" * 999, True),
        ("0." + "9" * 1000, False),
        ("9" * 1000 + "e-1000", True),
        ("9" * 1001 + "e-1", False),
        ("1e1000", True),
        ("1e1001", False),
        ("1e-1000", True),
        ("1e-1001", False),
        ("1E+0001000", True),
        ("1e99999999999999999999", False),
    ],
)
def test_the_limits_are_thousand_digits_and_thousand_powers(text: str, admitted: bool) -> None:
    assert (number_from_text(text) is not None) == admitted


@settings(deadline=None)
@given(st.lists(NUMBERS, max_size=20))
def test_a_sum_is_exact_in_any_order(numbers: list[Number]) -> None:
    total: Number = 0
    for number in numbers:
        total = add(total, number)
    assert Fraction(total) == sum(map(Fraction, numbers))
    for number in reversed(numbers):
        total = subtract(total, number)
    assert total == 0


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_a_difference_is_exact_and_of_integers_an_integer(left: Number, right: Number) -> None:
    found = subtract(left, right)
    assert Fraction(found) == Fraction(left) - Fraction(right)
    assert isinstance(found, int) == (isinstance(left, int) and isinstance(right, int))


def test_the_widest_numbers_add_up_exactly() -> None:
    texts = ["9" * 1000 + "e1000", "1e-1000", "0." + "0" * 998 + "1e-1000"]
    total: Number = 10 ** (2000 + 12)  # as if 10^12 of them had been added already
    for text in texts:
        total = add(total, number_from_text(text) or 0)
    assert Fraction(total) == 10**2012 + sum(map(Fraction, texts))


def test_ten_times_a_tenth_is_the_integer_one() -> None:
    decoder = msgspec.json.Decoder(float_hook=float_hook)
    total: Number = 0
    for value in decoder.decode("[" + ",".join(["0.1"] * 10) + "]"):
        total = add(total, value)
    assert plain(total) == "1"


@pytest.mark.parametrize("digits", [1, 31, 32, 1000])
def test_an_integer_of_any_length_is_an_int(digits: int) -> None:
    assert type(number_from_text("-" + "9" * digits)) is int


def test_a_sum_of_integers_is_an_integer_beyond_floats() -> None:
    assert add(9007199254740992, 1) == 9007199254740993
    assert type(add(9007199254740992, 1)) is int


@settings(deadline=None)
@given(NUMBERS, st.integers(1, 1000), st.integers(0, 20))
def test_an_average_is_rounded_once_and_half_even(total: Number, n: int, scale: int) -> None:
    assert Fraction(average(total, n, scale)) == round(Fraction(total) / n, scale)


@pytest.mark.parametrize(
    ("total", "n", "scale", "expected"),
    [
        (1, 2, 0, "0"),
        (3, 2, 0, "2"),
        (-1, 2, 0, "0"),
        (-3, 2, 0, "-2"),
        (10, 4, 12, "2.5"),
        (2, 3, 6, "0.666667"),
        (number_from_text("1e1000"), 3, 2, "3" * 1000 + ".33"),
    ],
)
def test_an_average_prints_as_expected(total: Number, n: int, scale: int, expected: str) -> None:
    assert plain(average(total, n, scale)) == expected


@settings(deadline=None)
@given(NUMBERS)
def test_a_printed_number_is_the_shortest_plain_json(number: Number) -> None:
    text = plain(number)
    assert Fraction(text) == Fraction(number)
    assert is_json_number(text)
    assert "e" not in text.lower()
    assert "." not in text or text[-1] not in "0."
    assert text != "-0"


@settings(deadline=None)
@given(SCALARS, SCALARS)
def test_canonical_bytes_are_equal_exactly_when_values_are(left: Any, right: Any) -> None:
    def typed(value: Any) -> tuple[str, Any]:
        kind = "number" if type(value) in (int, Decimal) else type(value).__name__
        return kind, Fraction(value) if kind == "number" else value

    assert (canonical(left) == canonical(right)) == (typed(left) == typed(right))


@settings(deadline=None)
@given(st.lists(SCALARS, max_size=5))
def test_a_key_is_the_canonical_array_on_either_path(values: list[Any]) -> None:
    assert canonical_key(values) == b"[" + b",".join(map(canonical, values)) + b"]"
    assert json.loads(canonical_key(values), parse_float=Fraction) == [
        Fraction(value) if type(value) is Decimal else value for value in values
    ]


def test_keys_with_joined_parts_differ() -> None:
    assert canonical_key(["a-b", "c"]) != canonical_key(["a", "b-c"])
    assert canonical_key([1]) == canonical_key([Decimal("1.0")]) == b"[1]"
    keys = [canonical_key([value]) for value in (1, "1", True, None, "true", "null")]
    assert len(set(keys)) == 6


def test_an_object_has_its_keys_sorted() -> None:
    assert canonical({"b": [1, Decimal("2.50")], "a": "ü\n"}) == '{"a":"ü\\n","b":[1,2.5]}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.5,
        "",
        "NaN",
        "Infinity",
        " 1",
        "1_000",
        "+1",
        ".5",
        "5.",
        "01",
        "1,5",
        "٣",
        "9" * 1001,
        10**1000,
        -(10**1000),
        Decimal("NaN"),
        Decimal("Infinity"),
        [],
        {},
        b"1",
        NotANumber("1e2000"),
    ],
)
def test_what_is_no_number_is_rejected(value: object) -> None:
    with pytest.raises(Reject) as caught:
        number_of(value)
    assert caught.value.reason == "not_a_number"
    assert caught.value.detail
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (True, "true is not a number"),
        (10**1000, "an integer of more than 1,000 digits"),
        ("1,5", "text '1,5' is not a JSON number"),
        ([], "an array is not a number"),
        ({}, "an object is not a number"),
        (b"1", "bytes is not a number"),
        (NotANumber("1e2000"), "1e2000 has more than 1,000 digits or an exponent beyond ±1,000"),
    ],
)
def test_a_rejection_says_what_was_there(value: object, detail: str) -> None:
    with pytest.raises(Reject) as caught:
        number_of(value)
    assert caught.value.detail == detail


@pytest.mark.parametrize("value", [0, -5, 10**1000 - 1, Decimal("1.50"), 2**70])
def test_a_number_is_itself(value: Number) -> None:
    assert number_of(value) is value


def test_numeric_text_is_a_number_and_null_is_none() -> None:
    assert number_of("12.50") == Decimal("12.50")
    assert number_of("-12") == -12
    assert number_of(None) is None


@pytest.mark.parametrize("text", ["1e1001", "1." + "0" * 1000, "1E-99999"])
def test_a_decoded_number_beyond_the_limits_keeps_its_text(text: str) -> None:
    value = msgspec.json.Decoder(float_hook=float_hook).decode(text)
    assert value == NotANumber(text)
    with pytest.raises(Reject, match="beyond"):
        canonical(value)
    with pytest.raises(Reject, match="beyond"):
        canonical_key(["a", value])


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=9))
def test_the_hook_reads_what_the_grammar_reads(texts: list[str]) -> None:
    floats = [text for text in texts if set(text) & set(".eE")]
    decoded = msgspec.json.Decoder(float_hook=float_hook).decode(f"[{','.join(floats)}]")
    assert [Fraction(value) for value in decoded] == [Fraction(text) for text in floats]


LIMIT = 10**1_000  # the first int of more than 1,000 digits
BEYOND = NotANumber("1E9999")


@pytest.mark.parametrize("bad", [LIMIT, -LIMIT, BEYOND])
@pytest.mark.parametrize("good", [LIMIT - 1, 1 - LIMIT, Decimal("1.5"), "text", None, True])
def test_limits_hold_at_any_depth(bad: Any, good: Any) -> None:
    assert within_limits(good) and not within_limits(bad)
    for wrap in (lambda one: [1, one], lambda one: (1, one), lambda one: {"a": 1, "b": one}):
        assert within_limits(wrap(good)) and within_limits(wrap(wrap(good)))
        assert not within_limits(wrap(bad)) and not within_limits(wrap(wrap(bad)))


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        (1, 0), ([], 0), ([1], 1), ({"a": 1}, 1), ([[1], [[2]]], 3), ({"a": {"b": [1]}}, 3),
        ({"key": 1, "b": (1, {"c": 2})}, 3),
    ],
)  # fmt: skip
def test_depth_counts_levels_that_hold_something(value: Any, levels: int) -> None:
    assert depth(value) == levels


@pytest.mark.parametrize(
    ("text", "printed"),
    [("-0.0", "0"), ("-0", "0"), ("1.500", "1.5"), ("100", "100"), ("1E+3", "1000"), ("2.0", "2")],
)
def test_a_number_prints_without_what_says_nothing(text: str, printed: str) -> None:
    assert plain(Decimal(text)) == printed


def test_exactly_a_thousand_digits_are_a_number_and_one_more_is_none() -> None:
    assert number_from_text("0." + "1" * 999) is not None
    assert number_from_text("0." + "1" * 1_000) is None
    assert number_from_text("1." + "1" * 999 + "E3") is not None
    assert number_from_text("1." + "1" * 1_000 + "E3") is None
    assert number_from_text("1E1001") is None


def test_what_is_no_number_says_so_shortly() -> None:
    assert NotANumber("1E9999") == BEYOND and NotANumber("1E9998") != BEYOND and BEYOND != "1E9999"
    assert len({BEYOND, NotANumber("1E9999"), NotANumber("1E9998")}) == 2
    assert repr(NotANumber("9" * 60)) == f"NotANumber({'9' * 60})"
    assert repr(NotANumber("9" * 61)) == f"NotANumber({'9' * 40}… (61 characters))"
    with pytest.raises(Reject) as refused:
        canonical(LIMIT)
    assert (refused.value.reason, refused.value.detail) == (
        "not_a_number",
        "an integer of more than 1,000 digits",
    )
