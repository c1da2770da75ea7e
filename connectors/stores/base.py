"""What the stores of FDDs, campaigns and negative numbers are to those who use them.

They hold what the tables decided, for queries and for people: nothing is decided from them. So
every write may be repeated, and comes in any order: it carries the version of what it holds, and
an older one never takes the place of a newer one, whatever is replayed after a kill.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from domain.errors import SluiceError

Value: TypeAlias = dict[str, Any]
"""JSON: what `json.loads` could give."""

DocumentKind = Literal["fdds", "campaigns"]
NegativeKind = Literal["negative_numbers", "negative_uploads"]

MAX_PAGE = 10_000
MAX_ID = 255
VERSION_END = 1 << 62  # versions are below


class StoreError(SluiceError):
    """Anything a store could not do. `where`: the store's address, without a password."""

    def __init__(self, where: str, detail: str, sentence: str) -> None:
        self.where = where
        self.detail = detail
        super().__init__(f"store {where} {sentence}: {detail}")


class StoreUnavailable(StoreError):
    """It is away, too slow, full, or doesn't let us in. What was asked may have been done or not:
    hold, and ask the same again until it is there. The store connects again by itself."""

    exit_code = 3

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "is not available")


class StoreRefused(StoreError):
    """It is there and won't ever take this; asking again is useless."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "refused what was asked")


class BadValue(SluiceError):
    """A value that lacks what the store finds it by. Nothing of the call was written."""

    def __init__(self, what: str, ident: str, problem: str) -> None:
        self.what = what
        self.ident = ident
        self.problem = problem
        super().__init__(f"{what} {ident}: {problem}")


class BadPlace(SluiceError):
    """A cursor that no page of this list gave."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__(f"cursor {cursor[:80]!r} is none of this list; begin without one")


@dataclass(frozen=True, slots=True)
class Write:
    """One value under its id; None deletes it (what is left is the id and the version).

    `version` rises with every change of the id, and one version has one content: the ledger's
    commit sequence will do, when a commit writes each id once.
    """

    what: DocumentKind | NegativeKind
    id: str
    version: int
    value: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lease:
    """FDDs without attempts that become LEASED, with `attempt` as their only one, which did not
    start yet. Its `execution_id` is left out: of each it is `<id>.<attempt>`. Versions as in
    `Write`: the FDDs are there with what was written last before."""

    ids: Sequence[str]
    version: int
    attempt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """FDDs without attempts that are alike but for record and number. The id of each is `prefix`
    and its record number; `shared` has what comes after `number` in the value. Versions as in
    `Write`."""

    prefix: str
    version: int
    request_id: str
    shared: Mapping[str, Any]
    records: Sequence[int]
    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Page:
    """Values in order. `next` is the cursor for those after, None when these are the last; it stays
    valid for ever, also over restarts and on a twin."""

    items: list[Value] = field(default_factory=list)
    next: str | None = None


@dataclass(frozen=True, slots=True)
class FddFilter:
    """FDDs of one request. None takes all.

    `day`: YYYY-MM-DD. `slot`: HH:MM-HH:MM, "" for those without a slot. `states`: any of them
    (`QUEUED`, …). `reasons`: of FDDs that are `FAILED`; others pass.
    """

    request_id: str
    day: str | None = None
    slot: str | None = None
    states: Sequence[str] | None = None
    number: str | None = None
    reasons: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class FddCount:
    """How many FDDs of a request are alike. `reached`: an attempt of theirs started."""

    date: str
    slot: str | None
    state: str
    reason: str | None
    reached: bool
    count: int


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that started, and its FDD."""

    at_ms: int
    attempt: Value
    fdd: Value


class Documents(Protocol):
    """FDDs and campaigns by id; any number of tasks may use it at a time.

    An FDD has at least `request_id`, `record_no`, `number`, `date`, `slot`, `revision`, `state`,
    `reason` and `attempts` as in `GET /api/fdds/{id}`; a campaign is any object. What is read is
    what was written. Every method raises StoreUnavailable or StoreRefused.
    """

    async def write(self, writes: Sequence[Write]) -> None:
        """Upserts and deletions; all are durable when it returns. Of several writes of an id the
        highest version counts, of one version the last. A call that raises StoreUnavailable or is
        cancelled may have written some of them: repeat it. Raises BadValue."""

    async def make(self, made: Sequence[Made]) -> None:
        """The same as a write of each of them, which costs a third of it. Most are expected to be
        new; none is there twice."""

    async def lease(self, lease: Lease) -> None:
        """The same change of many FDDs, which costs a tenth of as many writes; durable when it
        returns. An FDD of that version or a higher one stays as it is, one that isn't there is not
        made. Of a call that raises or is cancelled some may have changed: repeat it."""

    async def fdd(self, ident: str) -> Value | None:
        """One FDD."""

    async def campaign(self, request_id: str) -> Value | None:
        """One campaign."""

    async def campaigns(self, cursor: str | None = None, limit: int = 100) -> Page:
        """All campaigns by id. Raises BadPlace."""

    async def find_fdds(
        self, wanted: FddFilter, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """By date, slot, revision, record number; costs what the page holds. What moves out of the
        filter while paging is missed or not, what stays in it is seen once. Raises BadPlace."""

    async def find_by_number(
        self, number: str, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """FDDs of a person over all campaigns, the latest date first. Raises BadPlace."""

    def started(
        self, begin_ms: int, end_ms: int, request_id: str | None = None
    ) -> AsyncIterator[Started]:
        """The attempts that started at `begin_ms` or later and before `end_ms`, by start, then by
        FDD; read bit by bit. Costs the attempts of that span, those of other requests too."""

    async def counts(self, request_id: str, day: str | None = None) -> list[FddCount]:
        """What is there, counted one by one: reads every FDD of the request (and day)."""

    async def erase(self, number: str) -> int:
        """Takes a number out of every FDD: `number` is null and `fields` gone, the version stays;
        how many had it."""

    async def erase_before(self, request_id: str, day: str) -> int:
        """The same for all FDDs of a request with a date before the day."""

    async def forget(self, request_id: str) -> int:
        """Deletes the FDDs of a request and its campaign, versions included; how many FDDs. For a
        repair by who holds the ledger: afterwards any version is new. In steps, repeat it."""

    async def check(self) -> None:
        """Whether it answers, now."""

    async def close(self) -> None:
        """Ends connections and threads; what was acknowledged is durable."""


class Negatives(Protocol):
    """Uploaded negative numbers, kept for reporting; any number of tasks may use it at a time.

    A row of `negative_numbers` has `request_id`, and what it has of `upload_id`, `row` (from 1) and
    `number` (E.164, null for an invalid one) can be asked for. One of `negative_uploads` has
    `request_id` and `upload_id`. Both have columns for who queries the tables, which may be cut:
    `by`, `at`, `filename`, and `result` (`matched`, `unknown`, `invalid`). Every method raises
    StoreUnavailable or StoreRefused.
    """

    async def write(self, writes: Sequence[Write]) -> None:
        """See `Documents.write`."""

    async def upload(self, request_id: str, upload_id: str) -> Value | None:
        """One upload."""

    async def uploads(self, request_id: str, cursor: str | None = None, limit: int = 100) -> Page:
        """The uploads of a request by id. Raises BadPlace."""

    async def numbers(
        self, request_id: str, upload_id: str | None = None, number: str | None = None,
        cursor: str | None = None, limit: int = 100,
    ) -> Page:  # fmt: skip
        """Rows of a request by upload and row, of one upload or number if given. Raises
        BadPlace."""

    async def withdraw(self, request_id: str, number: str, at: str, actor: str) -> int:
        """Marks the rows of a number that are not withdrawn yet with `withdrawn_at` and
        `withdrawn_by`; how many. Their versions stay: a write that was decided before, and is
        repeated, does not bring them back."""

    async def erase(self, number: str) -> int:
        """Takes a number out of every row: `number` and `value` are null, the version stays; how
        many had it."""

    async def erase_request(self, request_id: str) -> int:
        """The same for every row of a request, whatever it has: also what is no number may be one
        with a slip of the pen. In steps, each durable by itself."""

    async def check(self) -> None:
        """Whether it answers, now."""

    async def close(self) -> None:
        """Ends connections and threads; what was acknowledged is durable."""
