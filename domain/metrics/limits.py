"""What services tell of their limits in the headers of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"[0-9]{1,12}")
_USAGE = re.compile(r"api-usage=([0-9]{1,12})/([0-9]{1,12})")
_EPOCH_S = 1_000_000_000  # a reset above is a time, one below counts seconds from now


@dataclass(frozen=True)
class Limits:
    """`left` calls until `reset_s` (epoch seconds); `most` in all; None when not told."""

    left: int | None = None
    most: int | None = None
    reset_s: float | None = None


def limits_of(headers: Mapping[str, str], now_s: float) -> Limits | None:
    """The limits that these headers tell: `X-RateLimit-*`, `X-Rate-Limit-*`, `RateLimit-*`,
    `Sforce-Limit-Info`; None when they tell nothing. `headers` looks up without regard to case."""
    usage = _USAGE.search(headers.get("Sforce-Limit-Info", ""))
    if usage is not None:
        most = int(usage[2])
        return Limits(max(0, most - int(usage[1])), most)
    for family in ("X-RateLimit", "X-Rate-Limit", "RateLimit"):
        left = _whole(headers.get(f"{family}-Remaining"))
        if left is not None:
            reset = _whole(headers.get(f"{family}-Reset"))
            if reset is not None and reset < _EPOCH_S:
                reset += int(now_s)
            return Limits(left, _whole(headers.get(f"{family}-Limit")), reset)
    return None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None
