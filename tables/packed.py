"""Rows as bytes in which every number has its place: what `codec.py` writes, MessagePack that it
reads, with numbers as wide as they can become. Rows that differ in numbers only are of one shape,
and are read, changed and written many at a time.

A decimal is text of WIDTH characters, blanks before it. Which rows have a shape: with one open
session of one source, or with none and a history, and nothing that travels. All others are left to
`codec.py`.
"""

import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.aggregation.number_columns import (
    DIGITS,
    MOST_PLACES,
    WIDTH,
    Ints,
    Numbers,
    letters,
    parse,
    printed,
)
from domain.aggregation.session import Row

_encode = msgspec.msgpack.Encoder().encode
# what goes before a number of that width, for struct and for numpy
_FORMS = {
    "H": (b"\xcd", ">u2"),
    "I": (b"\xce", ">u4"),
    "q": (b"\xd3", ">i8"),
    f"{WIDTH}s": (b"\xd9" + bytes([WIDTH]), f"S{WIDTH}"),
}
_DECIMAL = f"{WIDTH}s"
_NIL = b"\xc0"
_COUNTS = ("accepted", "flushed", "duplicates", "rejected", "expired", "deleted")
_SUMS = ("accepted_sums", "flushed_sums", "expired_sums", "deleted_sums")
_PLACES = range(-MOST_PLACES, 1)  # exponents
MOST_ELEMENTS = 15  # that MessagePack counts in half a byte
LOOKS = 16  # shapes that a row is compared with, at most

Sums = tuple[tuple[tuple[str, str], ...], ...]
"""For each dict of sums of a history, its (field, letter)."""
Layout = tuple[str | None, tuple[str, ...], str, Sums | None]
"""What makes a shape: topic of the source, None without a session; topics of `applied`; a letter an
accumulator, i for int, d for decimal and n for nothing; sums of the history."""


class Shape:
    """Rows of one layout. `dtype` names the numbers."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.topic, self.applied, self.kinds, self.history = layout
        self._constant: list[bytes] = [b""]
        self._names: list[str] = []
        self._forms: list[str] = []
        self._lay()
        first, *others = self._constant
        parts = [f"{len(first)}x"]
        names, formats, offsets, at = [], [], [], len(first)
        template, mask = bytearray(first), bytearray(b"\1" * len(first))
        for name, form, after in zip(self._names, self._forms, others, strict=True):
            size = struct.calcsize(f">{form}")
            names.append(name)
            formats.append(_FORMS[form][1])
            offsets.append(at)
            template += bytes(size) + after
            mask += bytes(size) + b"\1" * len(after)
            at += size + len(after)
            parts += [form, f"{len(after)}x"]
        self.length = at
        self.dtype = np.dtype(
            {"names": names, "formats": formats, "offsets": offsets, "itemsize": at}
        )
        self.template = bytes(template)
        self._struct = struct.Struct(">" + "".join(parts))
        self._constants = int.from_bytes(self.template)
        self._decimals = [at for at, form in enumerate(self._forms) if form == _DECIMAL]
        self._mask = np.frombuffer(bytes(mask), np.uint8) * np.uint8(255)
        self._same = np.frombuffer(self.template, np.uint8)

    def _put(self, data: bytes) -> None:
        self._constant[-1] += data

    def _number(self, form: str, name: str) -> None:
        self._put(_FORMS[form][0])
        self._names.append(name)
        self._forms.append(form)
        self._constant.append(b"")

    def _value(self, letter: str, name: str) -> None:
        if letter == "n":
            self._put(_NIL)
            return
        self._number("q" if letter == "i" else _DECIMAL, name)

    def _lay(self) -> None:
        """The fields of Row, Session and History in their order."""
        self._put(b"\x98")
        self._number("H", "sequence")
        if self.topic is None:
            self._put(_NIL)
        else:
            self._lay_session()
        self._put(bytes([0x90 | len(self.applied)]))
        for at, topic in enumerate(self.applied):
            self._put(b"\x93" + _encode(topic))
            self._number("H", f"applied_partition{at}")
            self._number("q", f"applied_offset{at}")
        self._number("q", "touched")
        self._lay_history()
        self._number("q", "wake")
        self._put(b"\x90\x90")

    def _lay_session(self) -> None:
        self._put(b"\x9a")
        self._number("H", "version")
        for name in ("created", "first", "last", "due"):
            self._number("q", name)
        self._number("H", "due_version")
        self._number("I", "count")
        self._put(bytes([0x90 | len(self.kinds)]))
        for at, letter in enumerate(self.kinds):
            self._value(letter, f"a{at}")
        self._put(b"\x91\x95" + _encode(self.topic))
        self._number("H", "partition")
        self._number("q", "first_offset")
        self._number("q", "last_offset")
        self._number("I", "records")
        self._put(_NIL)

    def _lay_history(self) -> None:
        if self.history is None:
            self._put(_NIL)
            return
        self._put(b"\x9b")
        for name in _COUNTS:
            self._number("I", name)
        for name, fields in zip(_SUMS, self.history, strict=True):
            self._put(bytes([0x80 | len(fields)]))
            for of, letter in fields:
                self._put(_encode(of))
                self._value(letter, f"{name}:{of}")
        self._put(b"\x90")

    def pack(self, numbers: list[Any]) -> bytes | None:
        """One row of these numbers, None when one of them is too large for its place."""
        for at in self._decimals:
            numbers[at] = _text(numbers[at])
        try:
            placed = self._struct.pack(*numbers)
        except struct.error:
            return None
        return (int.from_bytes(placed) | self._constants).to_bytes(self.length)

    def rows(self, data: Sequence[bytes]) -> tuple[bytearray, NDArray[Any], NDArray[np.bool_]]:
        """Rows of the right length: the bytes of all, the numbers in them, and which rows are of
        this shape. The numbers are those of the bytes.
        """
        held = bytearray(b"".join(data))
        lines = np.frombuffer(held, np.uint8).reshape(len(data), self.length)
        alike: NDArray[np.bool_] = ((lines & self._mask) == self._same).all(axis=1)
        return held, np.frombuffer(held, self.dtype), alike

    def among(
        self, keys: list[bytes], data: Mapping[bytes, bytes]
    ) -> tuple[list[bytes], list[bytes], bytearray, NDArray[Any]]:
        """Of keys whose rows have the right length: those of this shape, the others, and the bytes
        and numbers of the former.
        """
        held, numbers, alike = self.rows([data[key] for key in keys])
        if alike.all():
            return keys, [], held, numbers
        others = [key for key, same in zip(keys, alike.tolist(), strict=True) if not same]
        keys = [key for key, same in zip(keys, alike.tolist(), strict=True) if same]
        if not keys:
            return [], others, bytearray(), numbers[:0]
        held, numbers, _ = self.rows([data[key] for key in keys])
        return keys, others, held, numbers

    def new(self, n: int) -> tuple[bytearray, NDArray[Any]]:
        """Bytes of `n` rows whose numbers are 0, and the numbers in them."""
        held = bytearray(self.template * n)
        return held, np.frombuffer(held, self.dtype)

    def cut(self, held: bytearray) -> list[bytes]:
        """The bytes of each row."""
        whole, length = bytes(held), self.length
        return [whole[at : at + length] for at in range(0, len(whole), length)]


class Shapes:
    """The shapes that a process has met, by the length of their rows."""

    def __init__(self) -> None:
        self._by_layout: dict[Layout, Shape] = {}
        self._by_kinds: dict[tuple[Any, ...], Shape | None] = {}  # topics and classes of numbers
        self.by_length: dict[int, list[Shape]] = {}

    @property
    def layouts(self) -> set[Layout]:
        """Those of the shapes."""
        return set(self._by_layout)

    def of(self, layout: Layout) -> Shape:
        """The shape of that layout."""
        found = self._by_layout.get(layout)
        if found is None:
            found = self._by_layout[layout] = Shape(layout)
            self.by_length.setdefault(found.length, []).append(found)
        return found

    def pack(self, row: Row) -> bytes | None:
        """The bytes of a row, None when it has no shape."""
        session, history = row.open, row.history
        if row.seen or row.outputs or session is None is history:
            return None
        numbers: list[Any] = [row.sequence]
        told: list[Any] = []
        if session is not None:
            if session.dropped is not None or len(session.sources) != 1:
                return None
            topic, *source = session.sources[0]
            numbers += (
                session.version, session.created, session.first, session.last, session.due,
                session.due_version, session.count,
                *[held for held in session.accumulators if held is not None], *source,
            )  # fmt: skip
            told += (topic, tuple(map(type, session.accumulators)))
        for of, partition, offset in row.applied:
            told.append(of)
            numbers += (partition, offset)
        numbers.append(row.touched)
        if history is not None:
            if history.withdrawn:
                return None
            numbers += (
                history.accepted, history.flushed, history.duplicates, history.rejected,
                history.expired, history.deleted,
            )  # fmt: skip
            for sums in history.sums():
                told += (tuple(sums), tuple(map(type, sums.values())))
                numbers += sums.values()
        numbers.append(row.wake)
        key = tuple(told)
        if key not in self._by_kinds:
            layout = _layout(row)
            self._by_kinds[key] = None if layout is None else self.of(layout)
        shape = self._by_kinds[key]
        return None if shape is None else shape.pack(numbers)


def _layout(row: Row) -> Layout | None:
    session, history = row.open, row.history
    accumulators = [] if session is None else session.accumulators
    if len(row.applied) > MOST_ELEMENTS or len(accumulators) > MOST_ELEMENTS:
        return None
    kinds = letters(accumulators)
    every, sums = kinds, None
    if history is not None:
        sums = tuple(
            tuple(zip(each, letters(each.values()), strict=True)) for each in history.sums()
        )
        every += "".join(letter for of in sums for _, letter in of)
        if max(map(len, sums)) > MOST_ELEMENTS:
            return None
    if "?" in every or "n" in every[len(kinds) :]:
        return None
    topic = None if session is None else session.sources[0][0]
    return topic, tuple(each[0] for each in row.applied), kinds, sums


def ints(numbers: NDArray[Any], name: str) -> Ints:
    """A column of whole numbers."""
    found: Ints = numbers[name].astype(np.int64)
    return found


def number(letter: str, numbers: NDArray[Any], name: str) -> Numbers:
    """A column of numbers, whole ones or decimals."""
    if letter == "i":
        return Numbers(ints(numbers, name))
    chars = np.ascontiguousarray(numbers[name]).view(np.uint8).reshape(len(numbers), WIDTH)
    return parse(chars)


def decimals(units: Any, places: Any) -> NDArray[np.bytes_]:
    """Numbers below LIMIT as they stand in rows."""
    return printed(units, places).view(f"S{WIDTH}").ravel()


def with_seen(data: bytes, run: list[Any]) -> bytes:
    """A packed row with a run of event ids (see `sights.py`) that travels with it."""
    return data[:-2] + _encode((run,)) + data[-1:]


def with_output(data: bytes, output: list[Any]) -> bytes:
    """A packed row with an output (see `session.Row`) that travels with it."""
    return data[:-1] + _encode((output,))


def _text(value: Decimal) -> bytes | None:
    text = str(value)
    if "E" in text:
        text = format(value, "f") if value.as_tuple().exponent in _PLACES else ""
    whole, _, behind = text.partition(".")
    if len(behind) > MOST_PLACES or not 0 < len(whole.lstrip("-")) + len(behind) <= DIGITS:
        return None
    return text.rjust(WIDTH).encode()
