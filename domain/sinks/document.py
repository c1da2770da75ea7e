"""A document of kind `sink`: where flushed records go besides their topic. Plain data."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from domain.aggregation.document import Condition

Beginning: TypeAlias = Literal["beginning", "end"]
Mode: TypeAlias = Literal["structured", "binary"]
FileFormat: TypeAlias = Literal["jsonl", "parquet"]
ColumnType: TypeAlias = Literal["text", "integer", "number", "boolean", "instant", "json"]

DEFAULT_INPUT = "aggregates"


@dataclass(frozen=True)
class Column:
    """A column of a table or Parquet file. `path` into the record, "" for the whole of it."""

    name: str
    path: str
    type: ColumnType


@dataclass(frozen=True)
class Batch:
    """At most `records` at a time; one that isn't full goes after `seconds`."""

    records: int
    seconds: float


@dataclass(frozen=True)
class Http:
    """`POST` to `url`, signed with what the environment variables `secrets` hold.

    `batch` None sends record by record, up to `concurrency` keys of a partition side by side.
    """

    kind: ClassVar[str] = "http"
    url: str
    secrets: tuple[str, ...]
    batch: Batch | None = None
    timeout_ms: int = 10_000
    concurrency: int = 8
    cloudevents: Mode = "structured"


@dataclass(frozen=True)
class MySql:
    """Rows by `id`. Exactly one of `url` and `url_from` (an environment variable) is set; the
    password, if not in there, is in the environment variable `password`."""

    kind: ClassVar[str] = "mysql"
    url: str | None
    url_from: str | None
    password: str | None
    table: str
    columns: tuple[Column, ...]
    batch: Batch = Batch(500, 0.2)
    timeout_ms: int = 30_000


@dataclass(frozen=True)
class Rotate:
    """A file is complete at the first of these; None doesn't count. One of them is set."""

    bytes: int | None
    records: int | None
    seconds: float | None


@dataclass(frozen=True)
class Files:
    """Files in the folder `path` of the machine the worker runs on."""

    kind: ClassVar[str] = "files"
    path: str
    format: FileFormat
    rotate: Rotate
    columns: tuple[Column, ...] = ()


Target: TypeAlias = Http | MySql | Files


@dataclass(frozen=True)
class Retry:
    """Waits between attempts: `first_ms`, doubled each time up to `most_ms`. After `times` attempts
    a record is given up; None never."""

    first_ms: int = 1_000
    most_ms: int = 300_000
    times: int | None = None


@dataclass(frozen=True)
class Sink:
    """One sink. `aggregators` empty takes the records of all; `start`: where a new one begins."""

    kind: ClassVar[str] = "sink"
    name: str
    target: Target
    input: str = DEFAULT_INPUT
    start: Beginning = "beginning"
    aggregators: tuple[str, ...] = ()
    filter: Condition | None = None
    retry: Retry = Retry()
