"""The shapes in which the running system tells of sources; as app/shapes.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import SluiceError

JobState = Literal["waiting", "running", "done", "failed"]
Receipt = Literal["taken", "repeated", "ping"]


@dataclass(frozen=True)
class SourceStatus:
    """A source in force. `quota_left` None: the service does not tell. `at_work`: a worker has
    it; `failing_since_ms`: since when no fetch was good."""

    name: str
    connector: str
    cursor: Mapping[str, Any] | None = None
    last_fetch_ms: int | None = None
    last_error: str | None = None
    next_run_ms: int | None = None
    running: bool = False
    quota_left: int | None = None
    at_work: bool = False
    failing_since_ms: int | None = None


@dataclass(frozen=True)
class Fetch:
    """A fetch that was asked for. `status` is that of HTTP, if a call failed with one; `sample`
    holds records of a test as they would be stored."""

    id: str
    source: str
    state: JobState
    detail: str = ""
    status: int | None = None
    pages: int = 0
    records: int = 0
    sample: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True)
class Rebuild:
    """A rebuild that was asked for. `records`: in the archive, each key once; `changed`: of those,
    how many gave something else; `dropped`: that the archive does not have; `told`: buckets that
    differ."""

    id: str
    source: str
    state: Literal["running", "done", "failed"]
    detail: str = ""
    records: int = 0
    changed: int = 0
    dropped: int = 0
    told: int = 0


class FetchRefused(SluiceError):
    """A fetch that can't be made, and why (422)."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BadSignature(SluiceError):
    """What was pushed is not signed with a secret of the source (401)."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"the signature is not one of source {source}; expected X-Hub-Signature-256 = "
            "sha256= and the HMAC of the body with its secret"
        )


class BadDelivery(SluiceError):
    """What was pushed can't be read (400)."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)
