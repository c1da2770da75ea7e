"""Telephone numbers: the quick way gives what the library gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.campaigns.numbers import known_country, normalised, slowly

COUNTRIES = ["IN", "SE", "DE", "US", "GB", "IT", "FR", "BR", "AR", "MX", "KE", "SG", "RU", "HU"]


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+919876543210", "IN", "+919876543210"),
        ("98765 43210", "IN", "+919876543210"),
        ("09876543210", "IN", "+919876543210"),
        ("070-123 45 67", "SE", "+46701234567"),
        ("+46701234567", "IN", "+46701234567"),
        ("+39 06 1234567", "IN", "+39061234567"),
        ("abc", "IN", None),
        ("", "IN", None),
        ("12345", "IN", None),
        ("+9198765432101234567", "IN", None),
        ("9876543210", None, None),
        ("+919876543210;ext=5", "IN", None),
    ],
)
def test_a_number_is_normalised(text: str, country: str | None, expected: str | None) -> None:
    assert normalised(text, country) == expected


@settings(max_examples=600, deadline=None)
@given(
    country=st.sampled_from(COUNTRIES),
    prefix=st.sampled_from(
        ["", "+", "+91", "+46", "91", "0", "00", "0091", "8", "+7", "1", "+39 "]
    ),
    digits=st.text("0123456789", max_size=14),
)
def test_the_quick_way_is_the_library_s(country: str, prefix: str, digits: str) -> None:
    assert normalised(prefix + digits, country) == slowly(prefix + digits, country)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=20))
def test_any_text_is_a_number_or_none(text: str) -> None:
    found = normalised(text, "IN")
    assert found == slowly(text, "IN")
    assert found is None or normalised(found, "IN") == found


def test_countries_are_known_by_two_letters() -> None:
    assert known_country("IN")
    assert not any(known_country(each) for each in ("in", "XX", "India", None, 5))
