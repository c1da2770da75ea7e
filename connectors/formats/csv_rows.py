"""CSV as people upload it: row by row, each with what is wrong in it.

UTF-8, with or without a byte order mark; cells separated by commas, quoted where wanted, quotes
within doubled; lines end in LF or CRLF; blank lines are passed over. What a row is depends on the
bytes alone, not on how they arrive. Memory holds one row, of at most `ROW_BYTES`.
"""

import codecs
import csv
import zlib
from collections.abc import Iterator
from gzip import BadGzipFile, GzipFile
from io import SEEK_END
from typing import BinaryIO, Literal, NamedTuple, cast

from domain.errors import SluiceError

HEAD_BYTES = 64 * 1024  # looked at before anything of the file is kept
ROW_BYTES = 64 * 1024  # a row of contacts has some hundred; quotes left open swallow no more
GZIP = b"\x1f\x8b"
GROWS_MOST = 200  # times its size: rows of contacts unpack to some ten times theirs
GROWS_FREELY = 256 << 20  # bytes that any gzip may unpack to
VALUE_CHARS = 200  # of what is wrong, in a list of it

FaultCode = Literal["bad_encoding", "bad_quotes", "bad_row", "bad_gzip", "too_long"]


class Fault(NamedTuple):
    """Why a row can't be read. `column` counts from 0, None when it is the row as a whole."""

    column: int | None
    code: FaultCode
    value: str


class Row(NamedTuple):
    """A row. `raw` are its bytes with the line end (of one too long, the beginning), `end` where
    the next one begins in the unpacked file. `cells` are none with a `fault`."""

    cells: list[str]
    fault: Fault | None
    raw: bytes
    end: int


class NotCsv(SluiceError):
    """The beginning of a file is no text in UTF-8, or no gzip that can be unpacked."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the file can't be read: {detail}")


class BadHeader(SluiceError):
    """There is no header, or not one that names each column once."""

    def __init__(self, value: str, expected: str) -> None:
        self.value, self.expected = value, expected
        super().__init__(f"header {value!r}, expected {expected}")


def unpacked(file: BinaryIO) -> BinaryIO:
    """The content of a file that stands at its beginning, unpacked when it is gzip.

    One that grows beyond measure ends as one that breaks off does: with BadGzipFile."""
    packed = file.read(len(GZIP)) == GZIP
    size = file.seek(0, SEEK_END) if packed else 0
    file.seek(0)
    return cast(BinaryIO, _Growing(file, size)) if packed else file


def content_size(file: BinaryIO) -> int:
    """How many bytes the content of a file has, unpacked; the file is at its beginning then. Of
    gzip it is what the last member says, modulo 2^32 (RFC 1952, ISIZE)."""
    file.seek(0)
    packed = file.read(len(GZIP)) == GZIP
    size = file.seek(0, SEEK_END)
    if packed and size >= 4:
        file.seek(size - 4)
        size = int.from_bytes(file.read(4), "little")
    file.seek(0)
    return size


class _Growing(GzipFile):
    """A gzip file of `size` bytes, read by the line up to what such a file can be."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(fileobj=file)
        self._most = max(GROWS_FREELY, GROWS_MOST * size)

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(size)
        if self.tell() > self._most:
            raise BadGzipFile(f"it unpacks to more than {self._most:,} bytes")
        return line


def check_head(content: BinaryIO) -> None:
    """Looks at the first 64 KiB of the content. Raises NotCsv."""
    try:
        head = content.read(HEAD_BYTES)
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise NotCsv(f"it begins as gzip and can't be unpacked ({error})") from error
    try:
        # a character that the 64th KiB cuts is looked at with its row
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        byte = head[error.start : error.start + 1].hex()
        raise NotCsv(
            f"byte {error.start:,} ({byte}) is not UTF-8; save it as CSV in UTF-8"
        ) from error


def header(content: BinaryIO) -> tuple[list[str], int]:
    """The names of the columns and where the rows begin, of content that stands at its beginning.

    Raises BadHeader.
    """
    expected = "names of the columns, each once"
    bom = len(codecs.BOM_UTF8)
    if content.read(bom) != codecs.BOM_UTF8:
        content.seek(0)
        bom = 0
    row = next(rows(content, bom, None), None)
    if row is None:
        raise BadHeader("", expected)
    if row.fault is not None:
        raise BadHeader(row.fault.value, expected)
    names = [name.strip() for name in row.cells]
    if not all(names) or len(set(names)) < len(names):
        raise BadHeader(",".join(names)[:VALUE_CHARS], expected)
    return names, row.end


def rows(content: BinaryIO, at: int, width: int | None) -> Iterator[Row]:
    """The rows of content that stands at `at`, each of `width` cells (None: of any number).

    Reads as the rows are asked for. A gzip that breaks off ends with a row of fault `bad_gzip`.
    """
    lines = _Lines(content, at)
    while True:
        try:
            raw, fault = lines.record()
        except (EOFError, BadGzipFile, zlib.error) as error:
            yield Row([], Fault(None, "bad_gzip", str(error)[:VALUE_CHARS]), b"", lines.at)
            return
        if not raw:
            return
        if fault is None and not raw.strip(b"\r\n"):
            continue
        yield _row(raw, fault, lines.at, width)


def _row(raw: bytes, fault: FaultCode | None, end: int, width: int | None) -> Row:
    if fault is not None:
        return Row([], Fault(None, fault, shown(raw)), raw, end)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Row([], _bad_bytes(raw, error), raw, end)
    text = text.removesuffix("\n").removesuffix("\r")
    if '"' not in text and "\r" not in text:
        cells = text.split(",")
    else:
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            return Row([], Fault(None, "bad_quotes", shown(raw)), raw, end)
    if width is not None and len(cells) != width:
        column = len(cells) if len(cells) < width else None
        return Row([], Fault(column, "bad_row", shown(raw)), raw, end)
    return Row(cells, None, raw, end)


def _bad_bytes(raw: bytes, error: UnicodeDecodeError) -> Fault:
    """In which cell the bytes are, as far as the row can be taken apart."""
    text = raw.decode("latin-1").removesuffix("\n").removesuffix("\r")
    try:
        cells = next(csv.reader([text], strict=True))
        place = len(next(csv.reader([text[: error.start + 1]]))) - 1
        return Fault(place, "bad_encoding", shown(cells[place].encode("latin-1")))
    except (csv.Error, IndexError):
        return Fault(None, "bad_encoding", shown(raw))


def shown(raw: bytes) -> str:
    """Bytes as text that anybody can be shown, not more than some."""
    return raw[: 4 * VALUE_CHARS].decode("utf-8", "backslashreplace").rstrip("\r\n")[:VALUE_CHARS]


class _Lines:
    """Puts lines together to records: a line end in quotes ends none."""

    def __init__(self, content: BinaryIO, at: int) -> None:
        self._content = content
        self._ahead: list[bytes] = []  # read too far, the next one last
        self.at = at

    def record(self) -> tuple[bytes, FaultCode | None]:
        """The next record's bytes, b"" at the end, and what is wrong with it as a whole."""
        first = self._line()
        if len(first) > ROW_BYTES:
            self.at += len(first)
            self._skip(first)
            return first[:ROW_BYTES], "too_long"
        lines, whole = [first], len(first)
        opened, broken = _quotes(first, False)
        while opened and not broken:
            line = self._line()
            whole += len(line)
            lines.append(line)
            if not line or whole > ROW_BYTES:
                # never closed, or not soon: it is the line that is wrong, those after it are rows
                self._ahead = [line for line in reversed(lines[1:]) if line] + self._ahead
                self.at += len(first)
                return first, "bad_quotes"
            opened, broken = _quotes(line, True)
        self.at += whole
        return b"".join(lines), "bad_quotes" if broken else None

    def _line(self) -> bytes:
        return self._ahead.pop() if self._ahead else self._content.readline(ROW_BYTES + 1)

    def _skip(self, line: bytes) -> None:
        """Reads to the end of a line of which the beginning was read."""
        while line and not line.endswith(b"\n"):
            line = self._line()
            self.at += len(line)


def _quotes(line: bytes, opened: bool) -> tuple[bool, bool]:
    """Whether a quoted cell is open behind the line, and whether its quotes can't be."""
    if b'"' not in line:
        return opened, False
    at = 0
    while True:
        if not opened:
            if line[at : at + 1] == b'"':
                at, opened = at + 1, True
            else:  # quotes within a cell that doesn't begin with one are characters
                at = line.find(b",", at) + 1
                if not at:
                    return False, False
                continue
        at = line.find(b'"', at)
        if at < 0:
            return True, False
        if line[at + 1 : at + 2] == b'"':
            at += 2
            continue
        opened = False
        after = line[at + 1 : at + 2]
        if after != b",":
            return False, bool(line[at + 1 :].rstrip(b"\r\n"))
        at += 2
