"""Since when: an instant, a time back from now, an offset, or the beginning."""

import re
from dataclasses import dataclass
from typing import Literal

from domain.aggregation.instants import parse_instant

EXPECTED = "an instant (2025-11-03T04:30:00Z), a time back (24h, 7d), an offset or `beginning`"
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_BACK = re.compile(r"([0-9]{1,9})([dhms])")


@dataclass(frozen=True)
class Since:
    """`value`: epoch milliseconds of an instant, or the offset at which each partition begins."""

    kind: Literal["beginning", "instant", "offset"]
    value: int = 0


def parse_since(text: str, now_ms: int) -> Since | None:
    """What the text says; None when it is none of EXPECTED."""
    if text == "beginning":
        return Since("beginning")
    if re.fullmatch(r"[0-9]{1,18}", text):
        return Since("offset", int(text))
    if _BACK.sub("", text) == "" and text:
        spans = _BACK.findall(text)
        return Since("instant", now_ms - sum(int(n) * _UNITS_MS[unit] for n, unit in spans))
    at = parse_instant(text)
    return None if at is None else Since("instant", at)
