"""Phone numbers made unreadable in whatever goes out: text, HTML, JSON, CSV, rows, bytes.

A number is what looks like E.164 anywhere, what a field named like a number holds, in whatever
form, and what a campaign's command tells of whom it is about; where the same digits stand elsewhere
in the same answer, they go too. Two digits stay at
either end, so that a person can tell rows apart. Only what is masked is touched: other JSON keeps
its bytes, so numbers stay exact.
"""

import csv
import json
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from typing import Any

NAMES = frozenset(
    {
        "number", "msisdn", "phone", "phonenumber", "phoneno", "mobile", "mobilenumber", "mobileno",
        "telephone", "tel", "cell", "cellphone", "caller", "callee", "callednumber", "called",
        "calling", "callingnumber", "anumber", "bnumber", "aparty", "bparty", "contactnumber",
        "customernumber", "subscribernumber", "whatsapp",
    }
)  # fmt: skip
"""Fields that hold numbers, in lower case and without what separates words."""
CARRIERS = frozenset({"original", "base64"})
"""Fields whose text is bytes in base64."""

_MOST = 15  # digits of a number by E.164, and at least
_LEAST = 7
# `+` and its forms in addresses and JSON; a leading digit would make it a sum, or a time zone
_E164 = re.compile(r"(?:\+|%2[Bb]|\\u002[Bb])[1-9][0-9]{6,14}(?![0-9])")
_SPACED = re.compile(
    r"(?<![0-9A-Za-z.:])\+[1-9][0-9]{0,14}(?:[ .\-()]{1,2}[0-9]{1,12}){1,7}(?![0-9])"
)
_LOOSE = re.compile(
    r"(?<![0-9A-Za-z])(?!\d{4}-\d\d-\d\d)\+?[0-9](?:[ .\-()/]{0,2}[0-9]){6,14}(?![0-9])"
)
_WHOLE = re.compile(r"\s*\+?[0-9(][0-9 .\-()/]{5,24}\s*")
_TOKEN = re.compile(
    r'"((?:[^"\\]|\\.)*)"(\s*:)?|(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?', re.DOTALL
)
_IN_HTML = re.compile(r"&#34;([A-Za-z_\- ]{2,30})&#34;:\s*(?:&#34;)?(\+?[0-9][0-9 .\-()]{5,24})")
_DIGIT = re.compile("[0-9]")
_RUN = re.compile(r"[0-9]{7,15}")


def is_number_field(name: str) -> bool:
    """Whether a field of that name holds phone numbers."""
    return re.sub(r"[^a-z]", "", name.lower()) in NAMES


def digits_of(text: str) -> str:
    """The digits of what may be a number; empty when it is none."""
    if not _WHOLE.fullmatch(text):
        return ""
    found = "".join(_DIGIT.findall(text))
    return found if _LEAST <= len(found) <= _MOST else ""


def starred(text: str) -> str:
    """The text with a star for each digit but the first two and the last two."""
    total, seen = len(_DIGIT.findall(text)), 0

    def one(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return match[0] if seen <= 2 or seen > total - 2 else "*"

    return _DIGIT.sub(one, text)


class Masker:
    """Masks one answer. `found` counts numbers; with `only_counts` nothing is changed, for who may
    see them.
    """

    def __init__(self, *, only_counts: bool = False) -> None:
        self.found = 0
        self.only_counts = only_counts
        self._known: set[str] = set()

    def number(self, text: str) -> str:
        """What a field of numbers holds."""
        digits = digits_of(text)
        if not digits:
            return self.text(text)
        self._known.add(digits)
        return self._mask(text)

    def _mask(self, text: str) -> str:
        self.found += 1
        return text if self.only_counts else starred(text)

    def text(self, text: str) -> str:
        """Any text."""
        if "+" in text or "%2" in text or "\\u002" in text:
            text = _E164.sub(self._e164, text)
            text = _SPACED.sub(self._spaced, text)
        if self._known:
            text = _RUN.sub(lambda m: self._mask(m[0]) if m[0] in self._known else m[0], text)
        return text

    def _e164(self, match: re.Match[str]) -> str:
        found = match[0]
        plus = 1 if found[0] == "+" else 3 if found[0] == "%" else 6
        return found[:plus] + self._mask(found[plus:])

    def _spaced(self, match: re.Match[str]) -> str:
        many = len(_DIGIT.findall(match[0]))
        return self._mask(match[0]) if _LEAST <= many <= _MOST else match[0]

    def loose(self, text: str) -> str:
        """Rows as they were uploaded, where a number may look like anything."""
        return self.text(_LOOSE.sub(lambda m: self._mask(m[0]), text))

    def html(self, text: str) -> str:
        """A page, or a piece of one."""
        for name, value in _IN_HTML.findall(text):
            if is_number_field(name) and digits_of(value):
                self._known.add(digits_of(value))
        return self.text(text)

    def value(self, name: str, value: Any) -> Any:
        """A value of a row, by the name of its column."""
        if isinstance(value, str):
            return self.number(value) if is_number_field(name) else self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(str(key), each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(name, each) for each in value]
        if type(value) is int and is_number_field(name) and digits_of(str(value)):
            return self.number(str(value))
        return value

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row by column."""
        return {name: self.value(name, value) for name, value in row.items()}

    def csv(self, text: str) -> str:
        """A table with a header."""
        lines = csv.reader(text.splitlines(keepends=True))
        head = next(lines, [])
        if not any(map(is_number_field, head)):
            return self.text(text)
        out = _Pieces()
        writer = csv.writer(out)
        writer.writerow(head)
        for line in lines:
            writer.writerow([self.value(n, cell) for n, cell in zip(head, line, strict=False)])
        return "".join(out)

    def bytes(self, data: bytes) -> bytes:
        """A record as it came: JSON, other text, or bytes that hold some."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self.text(data.decode("latin-1")).encode("latin-1")
        return self.json(text).encode() if text[:1] in '{["' else self.text(text).encode()

    def json(self, text: str) -> str:
        """JSON text; what is no number keeps its bytes."""
        for name, kind, value in _fields(text):
            if kind != "key" and is_number_field(name) and digits_of(value):
                self._known.add(digits_of(value))
        if '"command"' in text and '"rows"' in text:
            self._known.update(filter(None, map(digits_of, _commanded(text))))
        name = ""

        def one(match: re.Match[str]) -> str:
            nonlocal name
            token, key = match[0], match[2] is not None
            if match[1] is None:
                is_one = is_number_field(name) and digits_of(token)
                return json.dumps(self._mask(token)) if is_one else self._plain(token)
            plain = json.loads(f'"{match[1]}"', strict=False) if "\\" in token else match[1]
            if key:
                name = plain
                shown = self.text(plain)
            elif name in CARRIERS:
                shown = self._carried(plain)
            else:
                shown = self.number(plain) if self._is_number(name, plain) else self.text(plain)
            if shown == plain:
                return token
            return json.dumps(shown, ensure_ascii=False) + (match[2] or "")

        return _TOKEN.sub(one, text)

    def _is_number(self, name: str, text: str) -> bool:
        return is_number_field(name) or (bool(self._known) and digits_of(text) in self._known)

    def _plain(self, token: str) -> str:
        """A JSON number that is in no field of numbers; masked it becomes text."""
        return json.dumps(self._mask(token)) if token in self._known else token

    def _carried(self, text: str) -> str:
        try:
            data = b64decode(text, validate=True)
        except (NotBase64, ValueError):
            return self.text(text)
        masked = self.bytes(data)
        return text if masked == data else b64encode(masked).decode()


class _Pieces(list[str]):
    """Text that is written piece by piece."""

    def write(self, piece: str) -> None:
        """Appends it."""
        self.append(piece)


def _commanded(text: str) -> Iterator[str]:
    """What may be numbers in the rows of campaigns' commands, wherever these stand in the JSON:
    texts of a list, cells of the column that the command says has numbers.
    """
    try:
        left = [json.loads(text, parse_int=str, parse_float=str)]
    except (ValueError, RecursionError):  # not to be told apart: all of it may be
        yield from (value for _, kind, value in _fields(text) if kind != "key")
        return
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            body = value.get("body")
            if "command" in value and isinstance(body, dict) and isinstance(body.get("rows"), list):
                described = body.get("description")
                told = body if not isinstance(described, dict) else {**body, **described}
                for row in body["rows"]:
                    cells = (row.get(told.get("number_column")),) if isinstance(row, dict) else row
                    for cell in cells if isinstance(cells, list | tuple) else (cells,):
                        if isinstance(cell, str):
                            yield cell


def _fields(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, kind, value) of each token: `kind` is key, text or number; a value has the name of the
    last key before it.
    """
    name = ""
    for match in _TOKEN.finditer(text):
        if match[1] is None:
            yield name, "number", match[0]
        elif match[2] is not None:
            name = json.loads(f'"{match[1]}"', strict=False) if "\\" in match[1] else match[1]
            yield name, "key", match[1]
        else:
            plain = json.loads(f'"{match[1]}"', strict=False) if "\\" in match[1] else match[1]
            yield name, "text", plain
