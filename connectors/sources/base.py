"""What a connector is: a class made with a `Kit`, whose `fetch(cursor)` yields pages.

A new one is a file here and a line in `registry.py`; in another package, an entry point of group
`sluice.sources` under the connector's name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from connectors.files.base import Files
from connectors.sources.caller import Caller
from connectors.sources.errors import CallFailed
from connectors.streams.base import Slice
from domain.metrics.fetched import Fetched
from domain.metrics.records import Attributes
from domain.metrics.source import Source

Cursor = dict[str, Any] | None
"""Where a source stands: what JSON can hold, None at the beginning."""


@dataclass(frozen=True)
class Page:
    """Records, and the cursor that follows them. Without records only the cursor moves on.

    `last`: no page follows for now. Who says so has the fetch over in the moment that the page is
    archived; else a kill between the last page and the end of its fetch makes the fetch due again.
    """

    records: Sequence[Fetched]
    cursor: Cursor
    last: bool = False


@dataclass(frozen=True)
class Window:
    """From `from_ms` to before `to_ms`: what is to be fetched again, apart from the cursor."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class Kit:
    """What a connector works with. `now_ms` is the product's clock. `deliveries(offset)` reads
    what was pushed to this source, for connectors that are pushed to; `tables` is the tree of
    impressions' tables; `archived` gives what is in the archive of this source, in no order, and
    blocks."""

    source: Source
    call: Caller
    environ: Mapping[str, str]
    now_ms: Callable[[], int]
    deliveries: Callable[[int], Awaitable[Slice]]
    tables: Callable[[], Files] | None = None
    archived: Callable[[], Iterator[Attributes]] = lambda: iter(())

    def secret(self, credential: str) -> str:
        """What the document's environment variable of this name holds, or the file that
        VARIABLE_FILE names; empty when the document names none. Raises CallFailed when it is not
        set."""
        variable = self.source.credentials.get(credential)
        return "" if variable is None else secret_of(self.environ, variable)


def secret_of(environ: Mapping[str, str], variable: str) -> str:
    """See `Kit.secret`."""
    found, file = environ.get(variable, ""), environ.get(f"{variable}_FILE", "")
    if not found and file:
        try:
            found = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            detail = f"environment variable {variable}_FILE can't be read: {error}"
            raise CallFailed(detail) from None
    if not found:
        raise CallFailed(f"environment variable {variable} is not set; the document names it")
    return found


class Connector(Protocol):
    """One source at work; used by one task. Its `quota_left`, if it knows one, is the caller's.

    `RANGED`: whether `fetch` takes a window. `BASE_URL`: where the service is, None without one.
    """

    RANGED: bool
    BASE_URL: str | None

    def __init__(self, kit: Kit) -> None: ...

    def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """The pages behind the cursor, until there are no more for now. Each is archived before the
        next one is asked for; the cursor of the last one archived is what the next call gets, after
        a kill too. With a window, the pages of that time alone. Raises CallFailed."""
