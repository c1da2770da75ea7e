"""What every file format gives: records by the thousand, each with the number of its line."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from domain.errors import Reject, SluiceError

PathKinds = Mapping[str, Literal["any", "raw", "number"]]
"""The paths that are asked for. `raw` where only the JSON text is wanted, `number` where only a
number is."""


class Position(NamedTuple):
    """How far a file was read: `line` is the last one taken, `offset` the byte after it (of the
    decompressed content; 0 in formats without lines)."""

    line: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Records:
    """Some records of one file, in order.

    `lines` are the numbers of the records that could be read, rising; `rows()` gives the records
    themselves, as often as it is called, in the shape of the reader. `refused` are those that
    could not be read. `original(line)` is a record as it stands in the file. `end` is where the
    next ones begin, `reached` how many bytes of the file had to be read for that.
    """

    lines: Sequence[int]
    rows: Callable[[], Iterable[Any]]
    refused: list[tuple[int, Reject]]
    original: Callable[[int], bytes]
    end: Position
    reached: int


class Reader(Protocol):
    """Reads one format, for a set of paths. `shape` and `attributes` are as
    `domain/aggregation/bulk.py` wants them."""

    @property
    def shape(self) -> Literal["view", "row"]: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    def check(self, source: Any) -> None:
        """Raises InputError for a file that can't be read as what it is said to be."""
        ...

    def missing(self, source: Any) -> list[str]:
        """The paths that no record of the file can have, as it has no column for them."""
        ...

    def read(self, source: Any, start: Position) -> Iterator[Records]:
        """The records behind `start`. Which of them come together depends on where they stand in
        the file alone, so a run that goes on gets the same chunks."""
        ...


class InputError(SluiceError):
    """A file is not what it should be (exit 1). `where` is "file" or "file:line"."""

    def __init__(self, where: str, problem: str, expected: str) -> None:
        self.where = where
        self.problem = problem
        self.expected = expected
        super().__init__(f"{where}: {problem}; expected {expected}")
