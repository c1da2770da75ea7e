"""JSON values as EDN: keys that can be keywords are, all others stay strings."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.aggregation.numbers import plain

_NAME = r"(?:[A-Za-z*!_?$%&=<>]|[-+.](?![0-9]))[A-Za-z0-9.*+!\-_?$%&=<>]*"
_KEYWORD = re.compile(rf"{_NAME}(?:/{_NAME})?")
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')
_INT64 = 1 << 63
DOUBLE_DIGITS = 15  # a number of so many is the same as a double


def edn(value: Any, indent: int = 0) -> str:
    """The text, maps over several lines. `value` is of JSON: its numbers int, float or Decimal."""
    pad = " " * (indent + 1)
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} {edn(item, indent + 1)}" for key, item in value.items()]
        return "{" + f"\n{pad}".join(pairs) + "}"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Sequence):
        return "[" + " ".join(edn(item, indent + 1) for item in value) + "]"
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value)


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return str(value) if -_INT64 <= value < _INT64 else f"{value}N"
    if isinstance(value, float):
        return repr(value)
    text = plain(value)
    if "." not in text and "e" not in text.lower():
        return _number(int(text))
    return text if len(value.as_tuple().digits) <= DOUBLE_DIGITS else f"{text}M"


def _key(key: object) -> str:
    text = str(key)
    return f":{text}" if _KEYWORD.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        character = match[0]
        return _ESCAPED.get(character) or f"\\u{ord(character):04x}"

    return f'"{_SPECIAL.sub(escape, text)}"'
