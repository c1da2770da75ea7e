"""The metadata of campaigns through its versions. Each version says what changed; the rest stays.

What is appended to a row is the newest value of every column, in the order in which the columns
first appeared in a header.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.errors import SluiceError
from domain.impressions.rows import quoted, split

CAMPAIGN = "campaign_id"
HISTORY = ("campaign_id", "version", "valid_from", "valid_to")


class BadDimension(SluiceError):
    """A dimension file that can't be taken; nothing of it was."""

    def __init__(self, file: str, line: int, problem: str, expected: str) -> None:
        self.file = file
        self.line = line
        self.problem = problem
        super().__init__(f"{file}:{line}: {problem}\nexpected {expected}")


@dataclass(frozen=True)
class Given:
    """A dimension file: its columns besides the campaign, and campaign -> values in that order."""

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Metadata:
    """What a campaign has since `version`, in the columns there were then. `valid_to` is empty for
    the newest; times are instants."""

    campaign: str
    version: int
    valid_from: str
    valid_to: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """Every version of every campaign. `version` 0: there is no dimension yet."""

    version: int = 0
    columns: tuple[str, ...] = ()
    newest: Mapping[str, Metadata] = field(default_factory=dict)
    past: tuple[Metadata, ...] = ()

    def applied(self, given: Given, at: str) -> "History":
        """With one more version, valid from the instant `at`; campaigns whose values it doesn't
        change are left as they are."""
        columns = (*self.columns, *(c for c in given.columns if c not in self.columns))
        places = [columns.index(column) for column in given.columns]
        newest, past = dict(self.newest), list(self.past)
        for campaign, values in given.rows.items():
            before = newest.get(campaign)
            old = () if before is None else before.values
            new = [*old, *[""] * (len(columns) - len(old))]
            for place, value in zip(places, values, strict=True):
                new[place] = value
            if before is not None:
                if padded(before.values, len(columns)) == tuple(new):
                    continue
                past.append(Metadata(campaign, before.version, before.valid_from, at, old))
            newest[campaign] = Metadata(campaign, self.version + 1, at, "", tuple(new))
        return History(self.version + 1, columns, newest, tuple(past))

    def appendix(self, campaign: str) -> bytes:
        """What comes behind a row of that campaign, its first comma included."""
        found = self.newest.get(campaign)
        values = padded(() if found is None else found.values, len(self.columns))
        return b"".join(b"," + quoted(value.encode()) for value in values)

    def lines(self) -> Iterable[bytes]:
        """The history as CSV, with a header; `from_lines` reads it."""
        yield b",".join(quoted(name.encode()) for name in (*HISTORY, *self.columns))
        for one in sorted(
            [*self.past, *self.newest.values()], key=lambda one: (one.campaign, one.version)
        ):
            values = padded(one.values, len(self.columns))
            cells = one.campaign, str(one.version), one.valid_from, one.valid_to, *values
            yield b",".join(quoted(cell.encode()) for cell in cells)


def from_lines(lines: Iterable[bytes], version: int) -> History:
    """The history that `History.lines` wrote."""
    newest: dict[str, Metadata] = {}
    past = []
    columns: tuple[str, ...] | None = None
    for line in lines:
        cells = tuple(cell.decode() for cell in split(line) or ())
        if columns is None:
            columns = cells[len(HISTORY) :]
            continue
        campaign, number, valid_from, valid_to = cells[: len(HISTORY)]
        one = Metadata(campaign, int(number), valid_from, valid_to, cells[len(HISTORY) :])
        if valid_to:
            past.append(one)
        else:
            newest[campaign] = one
    return History(version, columns or (), newest, tuple(past))


def padded(values: Sequence[str], size: int) -> tuple[str, ...]:
    """With empty ones for columns that came later."""
    return (*values, *[""] * (size - len(values)))


def read_dimension(file: str, text: bytes) -> Given:
    """A dimension file's content. Raises BadDimension: a file is taken whole or not at all."""
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    header: tuple[str, ...] | None = None
    rows: dict[str, tuple[str, ...]] = {}
    seen: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix(b"\r")
        if not line:
            continue
        cells = _cells(file, number, line)
        if header is None:
            header = _header(file, number, cells)
            place = header.index(CAMPAIGN)
            continue
        if len(cells) != len(header):
            problem = f"{len(cells)} columns"
            raise BadDimension(file, number, problem, f"{len(header)} as in the header")
        campaign, values = cells[place], (*cells[:place], *cells[place + 1 :])
        if not campaign:
            raise BadDimension(file, number, "no campaign_id", "one in every row")
        if rows.setdefault(campaign, values) != values:
            problem = f"campaign {campaign!r} is other than in line {seen[campaign]}"
            raise BadDimension(file, number, problem, "one row a campaign")
        seen.setdefault(campaign, number)
    if header is None:
        raise BadDimension(file, 1, "the file is empty", "a header with campaign_id")
    return Given((*header[:place], *header[place + 1 :]), rows)


def _cells(file: str, number: int, line: bytes) -> tuple[str, ...]:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        raise BadDimension(file, number, "bytes that are no text", "UTF-8") from None
    cells = split(line)
    if cells is None:
        problem = "a quote that is not closed on its line"
        raise BadDimension(file, number, problem, 'cells as a,"b,c","say ""d"""')
    return tuple(cell.decode() for cell in cells)


def _header(file: str, number: int, cells: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    doubled = next((name for name in names if names.count(name) > 1), None)
    if CAMPAIGN not in names:
        raise BadDimension(file, number, "no column campaign_id", "a header that has it")
    if "" in names or doubled is not None:
        problem = "a column without a name" if "" in names else f"column {doubled} twice"
        raise BadDimension(file, number, problem, "each column with a name of its own")
    return names
