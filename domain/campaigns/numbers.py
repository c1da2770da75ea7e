"""Telephone numbers as E.164: `+919876543210`.

Taken is what has a country and a length that its numbering plan has. Not looked at is whether the
plan has given the range out: plans grow faster than any list of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, ValidationResult

_DIGITS = re.compile(r"[0-9]+")
_CHARS_MAX = 60  # of a cell with a number in it; what is longer is none


def known_country(country: object) -> bool:
    """Whether it is a country with a numbering plan, by its two letters."""
    return isinstance(country, str) and country in phonenumbers.SUPPORTED_REGIONS


class _Plan(NamedTuple):
    code: str
    lengths: frozenset[int]
    prefix: re.Pattern[str] | None  # what is cut off in front of a national number
    abroad: re.Pattern[str] | None  # what comes before a country code


@cache
def _plan(country: str) -> _Plan | None:
    found = PhoneMetadata.metadata_for_region(country, None)
    if found is None or found.country_code is None:
        return None
    code = str(found.country_code)
    shared = len(phonenumbers.region_codes_for_country_code(found.country_code)) > 1
    general = found.general_desc
    lengths = frozenset(general.possible_length if general else ())
    prefix, abroad = found.national_prefix_for_parsing, found.international_prefix
    return _Plan(
        code,
        frozenset() if shared else lengths,  # plans that share a code go the long way
        re.compile(prefix) if prefix else None,
        re.compile(abroad) if abroad else None,
    )


def normalised(text: str, country: str | None) -> str | None:
    """The E.164 number that `text` means in the country; None when it is none.

    Of a country None only numbers with a `+` are read.
    """
    plan = None if country is None else _plan(country)
    if plan is not None:
        # The everyday forms, without the library: it takes a hundred times as long.
        plus = text.startswith("+")
        rest = text[1 + len(plan.code) :] if plus else text
        if (
            len(rest) in plan.lengths
            and text.isascii()
            and _DIGITS.fullmatch(rest)
            and (not plus or text.startswith(plan.code, 1))
            and (plus or not rest.startswith(plan.code))
            and not (plan.prefix and plan.prefix.match(rest))
            and not (not plus and plan.abroad and plan.abroad.match(rest))
        ):
            return f"+{plan.code}{rest}"
    return slowly(text, country)


def slowly(text: str, country: str | None) -> str | None:
    """The same by the library alone: what `normalised` is held to."""
    if len(text) > _CHARS_MAX:
        return None
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if parsed.extension:
        return None
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != ValidationResult.IS_POSSIBLE:
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
