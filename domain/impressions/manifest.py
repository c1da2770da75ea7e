"""What a table's manifest holds, and how it changes. The manifest alone says what is in force.

The manifest proper is small: it names one list of files per date (a piece), so that a load writes
anew the lists of the dates it touches and no others.
"""

from collections.abc import Iterable

import msgspec

from domain.impressions.figures import Figures, merge
from domain.impressions.layout import BUCKETS, Layout


class Part(msgspec.Struct, array_like=True, frozen=True):
    """What one load has in a file: `bytes` of whole gzip members."""

    load: str
    bytes: int
    figures: Figures


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file in force. `path` is relative to the root (it may lie in another table's folder),
    `checksum` the SHA-256 of its bytes; figures are of `viewing_percentage`.

    `parts`, of partitioned files: the loads it holds, by id, one behind the other. Of joined ones:
    `source`, the checksum of the partitioned file; `metadata`, what was appended to each row;
    `dimension`, the version that was the newest then; `matched`, whether the campaign was known.
    """

    path: str
    campaign: str
    bucket: int
    rows: int
    bytes: int
    sum: float
    mean: float
    m2: float
    min: float
    max: float
    checksum: str
    exact: tuple[float, float, float]
    dimension: int | None = None
    parts: tuple[Part, ...] = ()
    source: str = ""
    metadata: str = ""
    matched: bool = True

    @property
    def figures(self) -> Figures:
        """To be merged."""
        rest, squares, squares_rest = self.exact
        return Figures(self.rows, self.sum, rest, squares, squares_rest, self.min, self.max)

    @property
    def key(self) -> "Key":
        """What the file is for, within its date."""
        return self.bucket, self.campaign


Key = tuple[int, str]
"""(bucket, campaign)"""


def entry(
    path: str, key: Key, checksum: str, size: int, figures: Figures, *,
    parts: tuple[Part, ...] = (), dimension: int | None = None, source: str = "",
    metadata: str = "", matched: bool = True,
) -> FileEntry:  # fmt: skip
    """A file with its figures, which are asked for once."""
    exact = figures.sum_rest, figures.squares, figures.squares_rest
    return FileEntry(
        path, key[1], key[0], figures.rows, size, figures.sum, figures.mean, figures.m2,
        figures.least, figures.greatest, checksum, exact, dimension, parts, source, metadata,
        matched,
    )  # fmt: skip


class Piece(msgspec.Struct, frozen=True):
    """The files of a date, by bucket and campaign."""

    date: str
    files: tuple[FileEntry, ...]


class PieceRef(msgspec.Struct, frozen=True):
    """Where the list of a date's files is, and what it adds up to."""

    path: str
    checksum: str
    files: int
    rows: int
    unmatched: int


class Load(msgspec.Struct, frozen=True, omit_defaults=True):
    """An impressions file that was loaded. `load`: the beginning of `checksum`, that of the object
    as it came; `file`: its address; `tag`: what its place calls this content; times are instants.
    `state`: `loaded`, `undone`, `replaced`. `date`: the one given for a file without that column.
    """

    load: str
    file: str
    checksum: str
    tag: str
    state: str
    rows: int
    rejected: int
    started: str
    finished: str
    dates: tuple[str, ...]
    date: str = ""
    rejects: str = ""


class Retired(msgspec.Struct, frozen=True):
    """A file that is no longer in force since `version`; it goes one version later."""

    path: str
    version: int


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table at one version. `pieces`: date (empty in the compat layout) -> its files.

    Of joined tables: `columns` are those of the dimension, `dimension` its version, `of` the
    version of the table it was made from.
    """

    table: str
    version: int = 0
    layout: Layout = "dated"
    buckets: int = BUCKETS
    written: str = ""
    pieces: dict[str, PieceRef] = {}
    loads: tuple[Load, ...] = ()
    retired: tuple[Retired, ...] = ()
    columns: tuple[str, ...] = ()
    dimension: int | None = None
    of: int | None = None

    def load_in_force(self, ident: str) -> Load | None:
        """The load of that id, if its rows are in the table."""
        for load in self.loads:
            if load.load == ident and load.state == "loaded":
                return load
        return None

    @property
    def rows(self) -> int:
        """In all files."""
        return sum(piece.rows for piece in self.pieces.values())

    @property
    def unmatched(self) -> int:
        """Rows of campaigns that were not in the dimension."""
        return sum(piece.unmatched for piece in self.pieces.values())

    @property
    def rejected(self) -> int:
        """Rows refused in the loads in force."""
        return sum(load.rejected for load in self.loads if load.state == "loaded")


class Totals(msgspec.Struct, frozen=True):
    """The figures of several files. `sum` is that of the files' sums in their order."""

    rows: int
    sum: float
    mean: float
    stddev: float


def totals(files: Iterable[FileEntry]) -> Totals:
    """The figures of files in the order of date, bucket and campaign."""
    listed = list(files)
    total = 0.0
    for file in listed:
        total += file.sum
    merged = merge(file.figures for file in listed)
    mean = total / merged.rows if merged.rows else 0.0
    return Totals(merged.rows, total, mean, merged.stddev)


def encode(value: Manifest | Piece) -> bytes:
    """As JSON, one line."""
    return msgspec.json.encode(value) + b"\n"


def decode_manifest(text: bytes) -> Manifest:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Manifest)


def decode_piece(text: bytes) -> Piece:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Piece)
