"""Taking a value that is carried: printed as it came, when its session is flushed, and so looked
through when it comes. A flush must not fail.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from domain.aggregation.numbers import NotANumber, depth, float_hook, within_limits
from domain.errors import Reject

CARRIED_DEPTH = 100  # levels; what is deeper is a mistake, or somebody who tries
_DOUBTFUL = re.compile(rb"[0-9][eE]|[0-9]{501}")  # without these no number is beyond the limits


def take_carried(field: str) -> Callable[[Any], Any]:
    """The function (decoded value, `msgspec.Raw` or `msgspec.UNSET`) -> its JSON text, None for
    nothing.

    It raises Reject for what could not be printed: numbers beyond the limits, too deep a nesting.
    """
    encode = msgspec.json.Encoder(decimal_format="number").encode
    decode = msgspec.json.Decoder(float_hook=float_hook).decode

    def too_deep() -> Reject:
        return Reject("undecodable", f"{field} is nested deeper than {CARRIED_DEPTH} levels")

    def check(value: Any) -> None:
        if depth(value) > CARRIED_DEPTH:
            raise too_deep()
        if not within_limits(value):
            why = "more than 1,000 digits or an exponent beyond ±1,000"
            raise Reject("not_a_number", f"{field}: a number of {why}")

    def check_text(text: bytes) -> None:
        if text.count(b"[") + text.count(b"{") > CARRIED_DEPTH or _DOUBTFUL.search(text):
            try:
                value = decode(text)
            except msgspec.ValidationError:  # an integer too long even to be read
                value = NotANumber("")
            except RecursionError:
                raise too_deep() from None
            check(value)

    def take(found: Any) -> bytes | None:
        if found is msgspec.UNSET or found is None:
            return None
        if isinstance(found, msgspec.Raw | bytes):
            text = bytes(found)
            if text[:1] != b'"':
                check_text(text)
            return None if text == b"null" else text
        if found.__class__ is not str:
            check(found)
        return encode(found)

    return take
