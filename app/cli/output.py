"""Where a command's words go: tables and colour for people, JSON for machines.

Standard output carries the result, standard error what is said about it. Colour and drawn
tables are for terminals; a pipe gets plain columns, which never cut a value.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console

Cell = object
"""Text as it is; a number right-aligned; None as nothing."""


def json_bytes(value: object) -> bytes:
    """JSON of plain data; integers and Decimals of any size without loss."""
    import msgspec

    return msgspec.json.Encoder(decimal_format="number").encode(value)


def cell_text(cell: Cell) -> str:
    """A cell as people read it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, Decimal):
        return f"{cell:,f}"
    return printable(str(cell))


def printable(text: str, keep: str = "") -> str:
    """The text with escapes for what would move a terminal's cursor or colour it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


class Output:
    """Writes to two streams; knows whether a person or a machine reads.

    `json`: results are JSON. `color`: False never colours, True does on terminals.
    """

    def __init__(
        self,
        *,
        json: bool = False,
        color: bool = True,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.json = json
        self.color = color
        self._stdout = sys.stdout if stdout is None else stdout
        self._stderr = sys.stderr if stderr is None else stderr

    @property
    def terminal(self) -> bool:
        """Whether a person watches standard output."""
        return self._stdout.isatty()

    def document(self, value: object) -> None:
        """One JSON document on a line of its own."""
        self.raw(json_bytes(value))

    def lines(self, values: Iterable[object]) -> None:
        """JSON Lines."""
        for value in values:
            self.raw(json_bytes(value))

    def raw(self, line: bytes) -> None:
        """A line of bytes as they are."""
        self._stdout.flush()
        target = binary(self._stdout)
        if target is None:
            self._stdout.write(line.decode("utf-8", "replace") + "\n")
        else:
            target.write(line + b"\n")

    def flush(self) -> None:
        """Hands everything to whoever reads. Raises BrokenPipeError when nobody does."""
        self._stdout.flush()
        self._stderr.flush()

    def text(self, text: str = "", style: str = "") -> None:
        """A line for people on standard output."""
        self._write(self._stdout, text, style)

    def note(self, text: str, style: str = "") -> None:
        """A line about the result, on standard error."""
        self._write(self._stderr, text, style)

    def error(self, text: str) -> None:
        """What went wrong, on standard error."""
        first, _, rest = text.partition("\n")
        self._write(self._stderr, f"error: {first}", "bold red")
        if rest:
            self._write(self._stderr, rest, "")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str = ""
    ) -> None:
        """A table for people; `empty` is said instead of one without rows."""
        if not rows:
            if empty:
                self.text(empty)
        elif self.terminal:
            self._drawn(columns, rows)
        else:
            self._plain(columns, rows)

    def fields(self, values: Mapping[str, Cell]) -> None:
        """A name and a value a line."""
        width = max((len(name) for name in values), default=0)
        for name, value in values.items():
            self.text(f"{name:<{width}}  {cell_text(value)}")

    def _plain(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        texts = [[cell_text(cell) for cell in row] for row in rows]
        right = _numeric(columns, rows)
        widths = [
            max([len(column)] + [len(row[i]) for row in texts]) for i, column in enumerate(columns)
        ]
        for row in [list(columns), *texts]:
            cells = [
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(row, widths, right, strict=True)
            ]
            self.text("  ".join(cells).rstrip())

    def _drawn(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column, number in zip(columns, _numeric(columns, rows), strict=True):
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell_text(cell)) for cell in row))
        self._console(self._stdout).print(table)

    def _write(self, stream: TextIO, text: str, style: str) -> None:
        if style and self.color and stream.isatty():
            self._console(stream).print(text, style=style, markup=False, soft_wrap=True)
        else:
            stream.write(text + "\n")

    def _console(self, stream: TextIO) -> "Console":
        from rich.console import Console

        system: Literal["auto"] | None = "auto" if self.color else None
        return Console(file=stream, color_system=system, highlight=False, emoji=False)


def binary(stream: TextIO) -> BinaryIO | None:
    """The bytes below a text stream, when there are any (a captured one may have none)."""
    below: BinaryIO | None = getattr(stream, "buffer", None)
    return below


def discard_stdout() -> None:
    """After a broken pipe: what is still buffered goes nowhere, also at interpreter exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    def is_number(cell: Cell) -> bool:
        return cell is None or (isinstance(cell, int | Decimal) and not isinstance(cell, bool))

    return [
        all(is_number(row[i]) for row in rows) and any(row[i] is not None for row in rows)
        for i in range(len(columns))
    ]
