"""JSON Lines: one JSON object a line. Blank lines are passed over."""

from collections.abc import Iterator
from typing import Any, Literal

from connectors.formats.blocks import (
    LARGE_BYTES,
    Block,
    Blocks,
    Lines,
    character_at,
)  # fmt: skip
from connectors.formats.files import Source
from connectors.formats.json import JsonDecoder
from connectors.formats.records import PathKinds, Position, Records
from domain.errors import Reject

OPENING, CLOSING, CARRIAGE_RETURN = b"{}\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class JsonLinesReader:
    """See `records.Reader`. A line above `max_record_bytes` is refused `too_large`."""

    shape: Literal["view"] = "view"

    def __init__(self, kinds: PathKinds, max_record_bytes: int) -> None:
        self._decoder = JsonDecoder(
            {path: "raw" if kind == "raw" else "any" for path, kind in kinds.items()}
        )
        self.attributes = self._decoder.attributes
        self._limit = max_record_bytes

    def check(self, source: Source) -> None:
        """Nothing can be wrong with the file as a whole."""

    def missing(self, source: Source) -> list[str]:
        """Every record has fields of its own."""
        return []

    def read(self, source: Source, start: Position) -> Iterator[Records]:
        """See `records.Reader`."""
        with source.open(start.offset) as (content, reached):
            for block in Blocks(content, start, self._limit):
                yield self._records(block, reached())

    def _records(self, block: Block, reached: int) -> Records:
        if block.too_long is not None:
            refused = [(block.first, too_large(block.too_long, self._limit))]
            return Records(range(0), list, refused, lambda _: block.text, block.end, reached)
        views = self._plain(block)
        if views is not None:
            return Records(
                range(block.first, block.first + block.lines),
                lambda: views,
                [],
                Lines(block),
                block.end,
                reached,
            )
        return self._mixed(block, reached)

    def _plain(self, block: Block) -> list[Any] | None:
        """The views of a block of which every line is a record; None when that is not so.

        Each line begins with `{` and ends with `}`, and there are as many records as lines: then
        no record goes over a line end (JSON has no `}` right before a `{`), so each is a line.
        """
        text = block.text
        if len(text) < LARGE_BYTES or text[:1] != b"{" or text.rstrip(b"\r")[-1:] != b"}":
            return None
        ends = block.line_ends()
        before, after = character_at(text, ends - 1), character_at(text, ends + 1)
        if (before == CARRIAGE_RETURN).all():
            before = character_at(text, ends - 2)
        if not ((before == CLOSING).all() and (after == OPENING).all()):
            return None
        if len(text) > self._limit and block.line_lengths()[1] > self._limit:
            return None
        views = self._decoder.decode_block(text)
        return views if views is not None and len(views) == block.lines else None

    def _mixed(self, block: Block, reached: int) -> Records:
        lines = block.text.split(b"\n")
        if block.first == 1:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        views, mixed = self._decoder.decode_many(lines)
        numbers: range | list[int] = range(block.first, block.first + len(lines))
        refused: list[tuple[int, Reject]] = []
        if mixed or (len(block.text) > self._limit and max(map(len, lines)) > self._limit):
            good: list[Any] = []
            kept: list[int] = []
            for number, line, view in zip(numbers, lines, views, strict=True):
                if len(line) > self._limit:
                    refused.append((number, too_large(len(line), self._limit)))
                elif not isinstance(view, Reject):
                    good.append(view)
                    kept.append(number)
                elif line and not line.isspace():
                    refused.append((number, view))
            views, numbers = good, kept
        return Records(
            numbers,
            lambda: views,
            refused,
            lambda number: lines[number - block.first],
            block.end,
            reached,
        )


def too_large(size: int, limit: int) -> Reject:
    """What is said of a record of `size` bytes."""
    return Reject("too_large", f"{size} bytes, the limit is {limit}")
