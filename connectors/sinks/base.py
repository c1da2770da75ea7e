"""What a billing target is to those who deliver to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from domain.errors import SluiceError
from domain.sinks.records import Outgoing


class TryLater(SluiceError):
    """The target did not do it now; it may later. `asked_ms`: how long it asks to be left alone.

    The text never holds a secret: it is shown to people.
    """

    def __init__(self, detail: str, asked_ms: int | None = None) -> None:
        self.detail = detail
        self.asked_ms = asked_ms
        super().__init__(detail)


@dataclass(frozen=True)
class Refusal:
    """Why a target won't ever take a record. `status`: that of HTTP, or MySQL's error number."""

    detail: str
    status: int | None = None


@dataclass
class Outcome:
    """What became of records, by offset; those in none of the two are undecided. `tried`: which of
    the undecided the target was asked about. `moved`: the target stands at this offset, not where
    it was thought to."""

    taken: set[int] = field(default_factory=set)
    refused: dict[int, Refusal] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)
    later: TryLater | None = None
    moved: int | None = None


class Target(Protocol):
    """One target for one partition of a topic; used by one task at a time. Cancelling a call at
    any await is what a kill is: the records are delivered again."""

    async def position(self, first: int) -> int | None:
        """The offset to go on with as the target itself knows it; None when it doesn't keep any.
        `first` is what the caller would go on with. Raises TryLater."""

    async def deliver(self, records: Sequence[Outgoing], first: int, end: int) -> Outcome:
        """Hands over records, those of one key in order; `end`: the offset after them, `first`:
        where the target is thought to stand. Targets with a position either take all or refuse
        some without having taken any. Raises nothing for what the target does."""

    async def close(self) -> None:
        """Closes connections."""


Environ = Mapping[str, str]


def secret(environ: Environ, variable: str) -> str:
    """What an environment variable holds, or the file that VARIABLE_FILE names. Raises TryLater:
    the operator can still set it and start the worker again."""
    found = environ.get(variable, "")
    file = environ.get(f"{variable}_FILE", "")
    if not found and file:
        try:
            found = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise TryLater(
                f"environment variable {variable}_FILE: can't be read: {error}"
            ) from None
    if not found:
        raise TryLater(f"environment variable {variable} is not set; the document names it")
    return found
