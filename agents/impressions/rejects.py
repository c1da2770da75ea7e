"""The rows of a load that were refused, on a scratch disk until the load is in force."""

from collections.abc import Iterator
from pathlib import Path

from domain.impressions.rows import RowReason

HEADER = b"line,reason,row\n"
LONGEST_ROW = 64 << 10  # of a row that is kept; the rest is in the file that was loaded
READ_BYTES = 1 << 20


class Rejects:
    """`line,reason,row`, one a line, with a header; the row in quotes, as it came. Bytes that are
    no UTF-8 are told as `\\xff`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb", buffering=1 << 20)
        self._file.write(HEADER)
        self.count = 0

    def add(self, line: int, reason: RowReason, row: bytes) -> None:
        """One row; lines count from 1."""
        text = row[:LONGEST_ROW].decode("utf-8", "backslashreplace").encode()
        quoted = text.replace(b'"', b'""')
        self._file.write(b'%d,%s,"%s"\n' % (line, reason.encode(), quoted))
        self.count += 1

    def close(self) -> None:
        """No more rows follow."""
        self._file.close()

    def pieces(self) -> Iterator[bytes]:
        """The file's content."""
        with self._path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                yield piece
