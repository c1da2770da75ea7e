"""From a block of lines to rows sorted by where they go, a block at a time.

What is regular is decided for all lines at once in numpy and Arrow; every other line goes through
`rows.read_row`, which is the rule for both: a regular line is one that both read alike.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agents.impressions.lines import PADDING, Block
from domain.impressions.layout import MIX_END, MIX_LENGTH, MIX_WORD, bucket_of
from domain.impressions.rows import COLUMNS, Row, RowReason, read_date, read_row

COMMA, NEWLINE, QUOTE, RETURN = 44, 10, 34, 13
HASHED_AT_ONCE = 64  # bytes of an id; longer ones are hashed one by one
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused. `line`: its number in the block, from 0."""

    line: int
    reason: RowReason
    row: bytes


@dataclass(slots=True)
class Sorted:
    """The good rows of a block, sorted by group and bucket, in the order of the file within them.

    `groups`: (date, campaign) of this block, by number. `places[i]` (group x buckets + bucket) has
    the rows from `starts[i]`, and the bytes from `bounds[i]` to `bounds[i + 1]` of `text`.
    """

    groups: list[tuple[str, bytes]]
    places: Array
    starts: Array
    values: Array
    bounds: Array
    text: memoryview
    rows: int
    lines: int
    rejects: list[Reject] = field(default_factory=list)


@dataclass(slots=True)
class _Rows:
    """Rows in the order of their bytes in `data`: row i is data[begins[i]:ends[i]]."""

    data: bytes
    lines: Array
    begins: Array
    ends: Array
    groups: Array
    buckets: Array
    values: Array


@dataclass(frozen=True, slots=True)
class Parser:
    """`columns`: 5 with the date, 4 without. `day`: of rows without one, `""` where dates don't
    count. `buckets`: 1 leaves the bucket to the caller. `dated`: the date is part of the group."""

    columns: int
    day: str
    buckets: int
    dated: bool

    def parse(self, block: Block) -> Sorted:
        """Sorts the rows of a block."""
        if block.too_long:
            return Sorted(
                [], *(np.zeros(0, np.intp),) * 2, np.zeros(0), np.zeros(1, np.intp),
                memoryview(b""), 0, 1, [Reject(0, "too_long", block.text[:1000])],
            )  # fmt: skip
        table: dict[tuple[str, bytes], int] = {}
        rows, odd, lines = self._regular(block, table)
        rejects: list[Reject] = []
        if len(odd):
            rows = self._with_odd(block, rows, odd, table, rejects)
        return _sorted(rows, list(table), self.buckets, lines, rejects)

    def _regular(
        self, block: Block, table: dict[tuple[str, bytes], int]
    ) -> tuple[_Rows, Array, int]:
        """The rows that are regular, the numbers of the other lines (from 0), and how many lines
        there are."""
        text, columns = block.text, self.columns
        bytes_ = np.frombuffer(text, np.uint8, block.size)
        cuts = np.flatnonzero(bytes_ <= COMMA)
        kinds = bytes_[cuts]
        good = kinds == COMMA
        good |= kinds == NEWLINE
        if not good.all():
            cuts, kinds = cuts[good], kinds[good]
        lines = None
        ends = kinds == NEWLINE
        count = int(np.count_nonzero(ends))
        odd = np.zeros(count, bool)
        even = len(cuts) == columns * count and bool(ends[columns - 1 :: columns].all())
        plain = _is_plain(text, block.size)
        if even and plain:
            matrix = cuts.reshape(-1, columns)
            begins = np.empty(count, np.intp)
            begins[0], begins[1:] = 0, matrix[:-1, -1] + 1
        else:
            line_ends = cuts[ends]
            counts = np.diff(np.flatnonzero(ends), prepend=-1)
            odd |= counts != columns
            if not plain:
                odd[_lines_of_strange_bytes(text, bytes_, line_ends)] = True
            matrix = cuts[np.repeat(~odd, counts)].reshape(-1, columns)
            lines = np.flatnonzero(~odd)
            begins = np.concatenate([[0], line_ends[:-1] + 1])[lines]
        rows, others = self._checked(block, matrix, begins, lines, odd, table)
        return rows, others, count

    def _checked(
        self, block: Block, matrix: Array, begins: Array, lines: Array | None, odd: Array,
        table: dict[tuple[str, bytes], int],
    ) -> tuple[_Rows, Array]:  # fmt: skip
        """Takes out the rows whose cells are not good."""
        text, size, rows = block.text, block.size, len(matrix)
        at = self.columns - 4  # the first cut behind the impression
        ids = begins if at == 0 else matrix[:, 0] + 1
        bad = matrix[:, at] == ids
        campaigns = matrix[:, at] + 1
        bad |= matrix[:, at + 1] == campaigns
        codes: Array = np.zeros(rows, np.int64)
        days: list[str | None] = [self.day]
        if self.columns == len(COLUMNS):
            found, names = _encoded(text, size, begins, matrix[:, 0])
            days = [read_date(name) for name in names]
            wrong = np.array([day is None for day in days], bool)
            if wrong.any():
                bad |= wrong[found]
            codes = found.astype(np.int64)
        values = _numbers(text, size, matrix[:, at + 2] + 1, matrix[:, at + 3])
        bad |= ~np.isfinite(values)
        if bad.any():
            numbers = np.flatnonzero(bad) if lines is None else lines[bad]
            odd[numbers] = True
            kept = ~bad
            matrix, ids, values = matrix[kept], ids[kept], values[kept]
            campaigns, codes, rows = campaigns[kept], codes[kept], int(kept.sum())
            lines = np.flatnonzero(~odd)
        groups = self._groups(text, size, campaigns, matrix[:, at + 1], codes, days, table)
        buckets = _buckets(text, ids, matrix[:, at], self.buckets)
        if lines is None:
            lines = np.arange(rows)
        ends = matrix[:, -1] + 1
        made = _Rows(text[:size], lines, ids, ends, groups, buckets, values)
        return made, np.flatnonzero(odd)

    def _groups(
        self, text: bytes, size: int, begins: Array, ends: Array, codes: Array,
        days: list[str | None], table: dict[tuple[str, bytes], int],
    ) -> Array:  # fmt: skip
        found, names = _encoded(text, size, begins, ends)
        if not self.dated or len(days) == 1:
            day = (days[0] or "") if self.dated else ""
            numbers = [table.setdefault((day, name), len(table)) for name in names]
            return np.array(numbers, np.int64)[found]
        both = codes * len(names) + found
        distinct, inverse = np.unique(both, return_inverse=True)
        numbers = []
        for code in distinct.tolist():
            key = days[code // len(names)] or "", names[code % len(names)]
            numbers.append(table.setdefault(key, len(table)))
        return np.array(numbers, np.int64)[inverse]

    def _with_odd(
        self, block: Block, rows: _Rows, odd: Array, table: dict[tuple[str, bytes], int],
        rejects: list[Reject],
    ) -> _Rows:  # fmt: skip
        """With those of the other lines that are good, put behind."""
        cut = block.text[: block.size].split(b"\n")
        more: list[tuple[int, Row]] = []
        for number in odd.tolist():
            line = cut[number].removesuffix(b"\r")
            if not line:
                continue
            found = read_row(line, self.columns)
            if isinstance(found, Row):
                more.append((number, found))
            else:
                rejects.append(Reject(number, found, line))
        if not more:
            return rows
        texts = [b",".join(row.cells) + b"\n" for _, row in more]
        ends = len(rows.data) + np.cumsum([len(text) for text in texts])
        begins = np.concatenate([[len(rows.data)], ends[:-1]])
        groups, buckets = [], []
        for _, row in more:
            day = (row.date or self.day) if self.dated else ""
            groups.append(table.setdefault((day, row.campaign), len(table)))
            buckets.append(bucket_of(row.impression, self.buckets))
        return _Rows(
            b"".join([rows.data, *texts]),
            np.concatenate([rows.lines, [number for number, _ in more]]),
            np.concatenate([rows.begins, begins]),
            np.concatenate([rows.ends, ends]),
            np.concatenate([rows.groups, groups]),
            np.concatenate([rows.buckets, buckets]),
            np.concatenate([rows.values, [row.value for _, row in more]]),
        )


def _sorted(
    rows: _Rows,
    groups: list[tuple[str, bytes]],
    buckets: int,
    lines: int,
    rejects: list[Reject],
) -> Sorted:
    places = rows.groups * buckets + rows.buckets
    if len(rows.lines) and (np.diff(rows.lines) < 0).any():
        by_line = np.argsort(rows.lines, kind="stable")
        order = by_line[stable_order(places[by_line], len(groups) * buckets)]
    else:
        order = stable_order(places, len(groups) * buckets)
    places = places[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    sizes = (rows.ends - rows.begins)[order]
    ends = np.cumsum(sizes)
    bounds = np.concatenate([[0], ends])[np.append(starts, len(sizes))]
    text = gathered(rows.data, rows.begins, rows.ends, order)
    return Sorted(groups, places[starts], starts, rows.values[order], bounds, text,
                  len(order), lines, rejects)  # fmt: skip


def stable_order(keys: Array, above: int) -> Array:
    """The order that sorts keys, each below `above`; numpy sorts those of 16 bits by radix."""
    if above <= 1 << 16:
        return np.argsort(keys.astype(np.uint16), kind="stable")
    if above > 1 << 32:
        return np.argsort(keys, kind="stable")
    low = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    high = np.argsort((keys >> 16).astype(np.uint16)[low], kind="stable")
    return low[high]


def gathered(data: bytes | memoryview, begins: Array, ends: Array, order: Array) -> memoryview:
    """The rows data[begins[i]:ends[i]] in that order, one behind the other."""
    pairs = np.empty(2 * len(begins) + 1, np.int32)
    pairs[0], pairs[1:-1:2], pairs[2::2] = 0, begins, ends
    gaps_and_rows = pa.Array.from_buffers(
        pa.binary(), 2 * len(begins), [None, pa.py_buffer(pairs), pa.py_buffer(data)]
    )
    taken = gaps_and_rows.take(pa.array((2 * order + 1).astype(np.int32)))
    if not len(taken):
        return memoryview(b"")
    buffers = taken.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)
    return memoryview(buffers[2])[offsets[0] : offsets[len(taken)]]


def _cells(text: bytes, size: int, begins: Array, ends: Array) -> pa.Array:
    pairs = np.empty(2 * len(begins) + 1, np.int32)
    pairs[:-1:2], pairs[1::2], pairs[-1] = begins, ends, size
    cells_and_gaps = pa.Array.from_buffers(
        pa.binary(), 2 * len(begins), [None, pa.py_buffer(pairs), pa.py_buffer(text)]
    )
    return cells_and_gaps.take(pa.array(np.arange(0, 2 * len(begins), 2, dtype=np.int32)))


def _encoded(text: bytes, size: int, begins: Array, ends: Array) -> tuple[Array, list[bytes]]:
    """Which of the distinct cells each cell is, and these."""
    if not len(begins):
        return np.zeros(0, np.int64), []
    encoded = _cells(text, size, begins, ends).dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _numbers(text: bytes, size: int, begins: Array, ends: Array) -> Array:
    """The values of cells; NaN or infinite where a cell needs a look of its own."""
    if not len(begins):
        return np.zeros(0)
    cells = _cells(text, size, begins, ends)
    try:
        return _cast(cells)
    except pa.ArrowInvalid:
        good = pc.match_substring_regex(cells, NUMBER)
        good = pc.and_(good, pc.invert(pc.starts_with(cells, b"+")))
        kept = pc.if_else(good, cells, pa.scalar(None, cells.type))
        values: Array = pc.cast(kept.cast(pa.string()), pa.float64()).to_numpy(zero_copy_only=False)
        return values


def _cast(cells: pa.Array) -> Array:
    text = pa.Array.from_buffers(pa.string(), len(cells), cells.buffers())  # ASCII, or it fails
    values: Array = pc.cast(text, pa.float64()).to_numpy()
    return values


def _is_plain(text: bytes, size: int) -> bool:
    """Whether no byte of a block asks for a second look."""
    if text.find(b'"', 0, size) >= 0 or text.find(b"\r", 0, size) >= 0:
        return False
    if text.isascii():
        return True
    try:
        text[:size].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _lines_of_strange_bytes(text: bytes, bytes_: Array, line_ends: Array) -> Array:
    strange = (bytes_ == QUOTE) | (bytes_ == RETURN)
    try:
        text[: len(bytes_)].decode("utf-8")
    except UnicodeDecodeError:
        strange |= bytes_ > 127
    return np.unique(np.searchsorted(line_ends, np.flatnonzero(strange)))


def _buckets(text: bytes, begins: Array, ends: Array, buckets: int) -> Array:
    """`layout.bucket_of` for many; `text` has PADDING behind its last line."""
    if buckets == 1 or not len(begins):
        return np.zeros(len(begins), np.int64)
    sizes = ends - begins
    words: Array = np.ndarray((len(text) - len(PADDING) + 1,), np.uint64, text, 0, (1,))
    mixed = sizes.astype(np.uint64) * np.uint64(MIX_LENGTH)
    shortest, longest = int(sizes.min()), min(int(sizes.max()), HASHED_AT_ONCE)
    for start in range(0, longest, 8):
        if start + 8 <= shortest:
            mixed = _mixed(mixed, words[begins + start])
            continue
        left = sizes - start
        mask = np.full(len(begins), 0xFFFFFFFFFFFFFFFF, np.uint64)
        short = left < 8
        mask[short] = (
            np.uint64(1) << (8 * np.maximum(left[short], 0)).astype(np.uint64)
        ) - np.uint64(1)
        places = np.minimum(begins + start, len(words) - 1)
        following = _mixed(mixed, words[places] & mask)
        mixed = np.where(left > 0, following, mixed) if start >= shortest else following
    mixed = mixed * np.uint64(MIX_END)
    found = ((mixed >> np.uint64(33)) % np.uint64(buckets)).astype(np.int64)
    for row in np.flatnonzero(sizes > HASHED_AT_ONCE).tolist():
        found[row] = bucket_of(text[begins[row] : ends[row]], buckets)
    return found


def _mixed(mixed: Array, words: Array) -> Array:
    mixed = (mixed ^ words) * np.uint64(MIX_WORD)
    mixed ^= mixed >> np.uint64(32)
    return mixed
