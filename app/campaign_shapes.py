"""The shapes in which the running system takes and tells what concerns campaigns.

What campaigns-api.md prints as JSON goes through as plain data of exactly those names (`Json`):
the rules make it, nobody between them and the reader builds it anew.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import SluiceError

Json = Mapping[str, Any]
"""JSON of one of the shapes of campaigns-api.md §2; owned by the receiver."""

Action = Literal["retrigger", "reschedule", "revoke", "pause", "resume"]
ReportKind = Literal["raw", "eod"]
Bytes = AsyncIterator[bytes]
"""A file as it comes or goes, piece by piece; read once."""

RAW = (
    "start_time", "execution_id", "request_id", "campaign", "number", "slot", "outcome", "reason",
    "retriggered", "attempt",
)  # fmt: skip
EOD = ("day", "request_id", "campaign", "slot", "outcome", "reason", "count")
COLUMNS: Mapping[ReportKind, tuple[str, ...]] = {"raw": RAW, "eod": EOD}


@dataclass(frozen=True)
class Campaigns:
    """A page of campaigns. `tabs`: uploaded, attempted, negative, pending of the whole day."""

    tabs: Mapping[str, int]
    items: Sequence[Json]
    next: str | None = None


@dataclass(frozen=True)
class Upload:
    """A file that comes in. `filename` is what the sender calls it, or "".

    `description()` as campaigns-api.md §2 has it, not yet checked. It may follow the file, so it
    is asked for when `body` is at its end. Raises RefusedUpload when there is none.
    """

    description: Callable[[], Awaitable[Mapping[str, Any]]]
    filename: str
    body: Bytes


@dataclass(frozen=True)
class Uploaded:
    """`warnings`: {"code","message"}; `repeated`: it is the first answer to this key."""

    request_id: str
    warnings: Sequence[Json] = ()
    repeated: bool = False


@dataclass(frozen=True)
class Commanded:
    """What became of a command. `result` is the answer's JSON ({"command_id","dry_run","touched",
    "by"} of a change, {"upload_id","rows",…} of negatives); None while it is `running`.
    `position`: partition and offset of the record on `campaign-events`, where that is known."""

    command_id: str
    state: Literal["running", "done", "refused"]
    result: Json | None = None
    position: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Numbers:
    """A list of numbers that comes in: negatives of a request, or numbers not to be called.

    `body` is CSV with the header `number`. `expires_ms`: when a number may be called again.
    """

    filename: str
    body: Bytes
    expires_ms: int | None = None


@dataclass(frozen=True)
class Mistake:
    """A thing that is wrong in a request; `path` says where (`slots[1]`, `file`, `number_column`).

    `expected`: what would be right.
    """

    path: str
    value: object
    expected: str

    def as_json(self) -> dict[str, object]:
        """As a member of a problem document's `errors`."""
        return {"path": self.path, "value": self.value, "expected": self.expected}


class RefusedUpload(SluiceError):
    """A description, header or list that can't be taken; nothing of it is kept (422)."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        found = "; ".join(f"{one.path}: {one.value!r}, expected {one.expected}" for one in mistakes)
        super().__init__(f"{found}; nothing was kept")


class RefusedChange(SluiceError):
    """A change whose body can't be taken as it is; nothing was changed (422)."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        found = "; ".join(f"{one.path}: {one.value!r}, expected {one.expected}" for one in mistakes)
        super().__init__(f"{found}; nothing was changed")


class RefusedFile(SluiceError):
    """A file that is no CSV in UTF-8, plain or gzipped; nothing of it is kept (415)."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the file can't be read: {detail}; nothing was kept")


class RefusedAction(SluiceError):
    """A change that the campaign's state doesn't allow now (409).

    `because` is a phrase; `open_at` the instant (text) from which a retrigger will be taken.
    """

    def __init__(self, action: str, because: str = "", open_at: str | None = None) -> None:
        self.action, self.because, self.open_at = action, because, open_at
        when = f"it opens at {open_at}" if open_at else because or "not in its present state"
        super().__init__(f"{action} is not taken now: {when}")

    def more(self) -> dict[str, object]:
        """What the problem document says besides."""
        return {"open_at": self.open_at} if self.open_at else {"because": self.because}


@dataclass(frozen=True)
class Difference:
    """A count in which the shard and the documents store differ; `path` as in a campaign's JSON."""

    request_id: str
    day: str
    slot: str
    path: str
    counted: int
    stored: int


@dataclass(frozen=True)
class Recounted:
    """`repaired`: FDDs written to the store anew from the shard's state."""

    campaigns: int
    differences: Sequence[Difference] = field(default_factory=tuple)
    repaired: int = 0
