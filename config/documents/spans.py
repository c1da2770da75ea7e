"""Reads spans of time as people write them: `500ms`, `1s`, `5m`, `2h`, or `{minutes: 5}`."""

import re
from collections.abc import Mapping

from config.documents import fields
from config.documents.base import At, Reader

_TEXT = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def span(low_ms: int, high_ms: int) -> Reader[int]:
    """Milliseconds from `low_ms` to `high_ms`."""

    def read(value: object, at: At) -> int | None:
        if isinstance(value, Mapping):
            found = fields.duration(value, at)
            if found is None:
                return None
        else:
            match = _TEXT.fullmatch(value) if isinstance(value, str) else None
            found = -1 if match is None else int(match[1]) * _UNIT_MS[match[2]]
        if low_ms <= found <= high_ms:
            return found
        at.refuse(value, f"a span like 500ms, 10s, 5m or 2h, from {low_ms} ms to {high_ms} ms")
        return None

    return read


def seconds(low: float, high: float) -> Reader[float]:
    """A number of seconds."""

    def read(value: object, at: At) -> float | None:
        found = fields.number(value)
        if found is not None and low <= found <= high:
            return float(found)
        at.refuse(value, f"a number of seconds from {low:g} to {high:g}")
        return None

    return read
