"""What is carried comes out as it came; what no flush could print is refused when it comes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.aggregation.carried import take_carried
from domain.aggregation.numbers import float_hook
from domain.errors import Reject

decode = msgspec.json.Decoder(float_hook=float_hook).decode
TOO_DEEP = "cell is nested deeper than 100 levels"
TOO_MUCH = "cell: a number of more than 1,000 digits or an exponent beyond ±1,000"


def take(found: Any) -> bytes | None:
    taken: bytes | None = take_carried("cell")(found)
    return taken


def both(text: str) -> list[Any]:
    """The value as text, of both kinds, and decoded."""
    return [msgspec.Raw(text.encode()), text.encode(), decode(text)]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ("é", '"é"'),
        ("null", '"null"'),
        (True, "true"),
        (7, "7"),
        (Decimal("1.50"), "1.50"),
        ({"a": [Decimal("0.1"), None]}, '{"a":[0.1,null]}'),
        (msgspec.Raw(b'{ "a": 1.50 }'), '{ "a": 1.50 }'),
        (b"1.50", "1.50"),
        (msgspec.Raw(b'"null"'), '"null"'),
        (msgspec.Raw(b'"1e5000"'), '"1e5000"'),
        (msgspec.Raw(b'["1e5000"]'), '["1e5000"]'),
        (msgspec.Raw(b"[1e5]"), "[1e5]"),
        (msgspec.Raw(b'["' + b"[{" * 60 + b'"]'), '["' + "[{" * 60 + '"]'),
        (msgspec.Raw(b"[" + b"[]," * 150 + b"{}]"), "[" + "[]," * 150 + "{}]"),
    ],
)
def test_it_is_kept_as_it_came(found: Any, text: str) -> None:
    assert take(found) == text.encode()


@pytest.mark.parametrize("nothing", [None, msgspec.UNSET, msgspec.Raw(b"null"), b"null"])
def test_nothing_is_nothing(nothing: Any) -> None:
    assert take(nothing) is None


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_it_may_be_a_hundred_levels_deep(opening: str, closing: str) -> None:
    times = 100 // len(closing)
    for found in both(opening * times + "1" + closing * times):
        assert take(found) is not None
    for found in both(opening * times + "[1]" + closing * times):
        with pytest.raises(Reject) as refused:
            take(found)
        assert (refused.value.reason, refused.value.detail) == ("undecodable", TOO_DEEP)


def test_what_is_too_deep_even_to_be_read_is_refused_alike() -> None:
    with pytest.raises(Reject) as refused:
        take(b"[" * 100_000 + b"1" + b"]" * 100_000)
    assert (refused.value.reason, refused.value.detail) == ("undecodable", TOO_DEEP)


@pytest.mark.parametrize(
    "number",
    ["1e1000", "1E1000", "-1e-1000", "9" * 1000, "-" + "9" * 1000, f"{'1' * 500}.{'1' * 500}"],
)
def test_a_number_at_the_limits_is_taken(number: str) -> None:
    for found in [*both(number), *both(f'{{"a":[{number}]}}')]:
        assert take(found) is not None


@pytest.mark.parametrize(
    "number",
    ["1e1001", "1E1001", "-1e-1001", "9" * 1001, f"{'1' * 501}.{'1' * 500}"],
)
def test_a_number_beyond_the_limits_is_refused_wherever_it_is(number: str) -> None:
    for found in [*both(number), *both(f'{{"a":[{number}]}}')]:
        with pytest.raises(Reject) as refused:
            take(found)
        assert (refused.value.reason, refused.value.detail) == ("not_a_number", TOO_MUCH)


def test_an_integer_too_long_even_to_be_read_is_refused_alike() -> None:
    with pytest.raises(Reject) as refused:
        take(b"9" * 5_000)
    assert (refused.value.reason, refused.value.detail) == ("not_a_number", TOO_MUCH)
