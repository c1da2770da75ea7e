"""What the console and the HTTP API ask of the running system.

The web layer knows nothing else of it: `Backend` is implemented by the worker's facade (which
answers itself or asks the worker that owns the partition) and by the tests' fake. The shapes
of the answers are in `app/shapes.py`.

Every method may raise `Unavailable` (somebody who must be asked doesn't answer, now) and
`StreamUnavailable`. Times are epoch milliseconds of the product's clock and end in `_ms`,
spans are seconds and end in `_s`. Cursors are opaque text; None is the beginning, a `next` of
None the end. A cursor that can't be read raises `BadCursor`.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from app.campaigns_backend import CampaignsBackend
from app.command_shapes import Commanded
from app.day_shapes import Day, Resent, Retractable, Retracted
from app.growth_shapes import GrowthInfo
from app.history_shapes import Explained, Preview, Whereabouts
from app.impressions_backend import ImpressionsBackend
from app.insight_backend import InsightBackend
from app.metrics_backend import MetricsBackend
from app.process_backend import ProcessesBackend
from app.shapes import (
    Appended,
    BackedUp,
    Change,
    Changed,
    ClockInfo,
    DeadLetter,
    DeadLetterCount,
    DocumentStatus,
    DocumentVersion,
    Idempotency,
    Overview,
    Page,
    Readiness,
    RecordPage,
    Replay,
    Sample,
    SessionDetail,
    SessionRow,
    TableInfo,
    TableRow,
    TopicInfo,
    Totals,
    Trial,
    Worker,
)
from app.since import Since
from app.sink_shapes import SinkStatus, Taken
from app.sources_backend import SourcesBackend
from config.documents.base import Problem
from connectors.streams.base import Row
from domain.errors import SluiceError


class Unavailable(SluiceError):
    """Somebody who must be asked does not answer now; asking again later may work (503)."""

    def __init__(self, what: str, detail: str, retry_after_s: int = 2) -> None:
        self.what = what
        self.detail = detail
        self.retry_after_s = retry_after_s
        super().__init__(f"{what} can't be answered now: {detail}; try again in a moment")


class BadCursor(SluiceError):
    """A cursor that this list did not give out (400)."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__(
            f"cursor {cursor!r} is not one of this list's; leave it out to begin at the beginning"
        )


class FlushNotFound(SluiceError):
    """No flush with this id was found (404). `complete`: among all that are retained."""

    def __init__(self, flush_id: str, looked: int, complete: bool) -> None:
        self.flush_id, self.looked, self.complete = flush_id, looked, complete
        among = "retained flushes" if complete else f"the latest {looked:,} flushes"
        advice = "" if complete else "; give all group values, or about when it was flushed"
        super().__init__(f"there is no flush {flush_id} among {among}{advice}")


class IdempotencyConflict(SluiceError):
    """An Idempotency-Key that already stands for another request (422)."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"Idempotency-Key {key!r} was used for a different request before; "
            "use a new key for a new request"
        )


class RetractionRefused(SluiceError):
    """An event that can't be taken back, and why (422)."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class Backend(
    CampaignsBackend,
    ImpressionsBackend,
    InsightBackend,
    MetricsBackend,
    ProcessesBackend,
    SourcesBackend,
    Protocol,
):
    """The running system. All methods are safe to call concurrently and never block the loop."""

    # Health

    async def ready(self) -> Readiness:
        """Whether this worker can serve now, with a sentence for each reason why not."""

    async def clock_info(self) -> ClockInfo:
        """The product's clock: system or trial."""

    async def overview(self) -> Overview:
        """All figures of the Overview page. Called at most once a second while it is watched;
        must cost the same with ten sessions and with ten million."""

    async def workers(self) -> Sequence[Worker]:
        """Every worker heard of lately, this one first."""

    async def metrics(self) -> Sequence[Sample]:
        """Samples for /metrics; names, units and types are in app/web/metrics.py."""

    # Documents

    async def documents(self, kind: str | None = None) -> Sequence[DocumentVersion]:
        """The version in force of every document (of one kind), by kind and name."""

    async def document(self, kind: str, name: str) -> DocumentVersion | None:
        """The version in force; None when there is none (removed ones too)."""

    async def versions(self, kind: str, name: str) -> Sequence[DocumentVersion]:
        """All versions, newest first, a removal being one with `body` None; empty if unknown."""

    async def document_status(self, kind: str, name: str) -> DocumentStatus | None:
        """How far the latest version has come; None for an unknown document and for one whose
        removal is in force everywhere."""

    async def validate(self, body: Mapping[str, object]) -> Sequence[Problem]:
        """What would be refused, as `put_document` would say it; empty when it is fine."""

    async def put_document(
        self, kind: str, name: str, body: Mapping[str, object], change: Change, wait_s: float
    ) -> Changed:
        """Makes `body` the next version of kind/name: a control message on topic `config`.

        Returns when that is durable, and with `wait_s` > 0 when every live worker has it in
        force or `wait_s` is over (then `in_force` is False). `body` carries `kind` and `name`
        equal to the arguments; numbers in it are int or Decimal. Raises DocumentError (with all
        problems; nothing is appended) and IdempotencyConflict. A body equal to the version in
        force may be answered with that version.
        """

    async def delete_document(
        self, kind: str, name: str, change: Change, wait_s: float
    ) -> Changed | None:
        """Removes it, the same way; None when there is nothing to remove."""

    async def try_record(self, document: Mapping[str, object], records: Sequence[bytes]) -> Trial:
        """Runs JSON records through an aggregator document; nothing of it is kept.

        Raises DocumentError for a document that would be refused.
        """

    async def start_preview(
        self, document: Mapping[str, object], since: Since, text: str
    ) -> Preview:
        """Begins to run the retained records of the document's input topic through it, beside the
        flushes that really happened; nothing of it is kept. `text` is `since` as it was given.

        It goes on by itself; this worker tells of it by its id, for half an hour after its end.
        Raises DocumentError for a document that would be refused, and Unavailable.
        """

    async def preview(self, preview_id: str, wait_s: float) -> Preview | None:
        """A preview, when it is over or `wait_s` is; None for one that isn't known here."""

    async def stop_preview(self, preview_id: str) -> Preview | None:
        """Ends a preview that is at work; None for one that isn't known here."""

    # Sessions and totals

    async def sessions(
        self, aggregator: str, group: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[SessionRow] | None:
        """Open sessions whose group values all match, in key order, from all partitions.

        `group` maps a group field (`account`, `product.code`, or a period's field, by label) to
        the text of the wanted value: it matches a text value equal to it, and a number, boolean
        or null whose JSON text is that. None for an aggregator nobody has heard of. Must not
        scan ten million sessions for the first page of an unfiltered list.
        """

    async def session(self, aggregator: str, key: str) -> SessionDetail | None:
        """One session by its key (`SessionRow.key`): open, or known by its flushes only."""

    async def explain(
        self,
        aggregator: str,
        flush_id: str,
        where: Whereabouts,
        limit: int,
        cursor: str | None,
    ) -> Explained | None:
        """Where a flush, or with its key an open session, comes from: the records themselves, as
        far as they are retained, a page of them. None for an aggregator nobody has heard of.
        Raises FlushNotFound, BadCursor."""

    async def totals(self, aggregator: str | None) -> Sequence[Totals]:
        """Control totals of one or all aggregators, by name; empty if there is none such."""

    async def day_totals(self, day: str, aggregator: str | None) -> Day:
        """The daily reconciliation of a UTC day that is not in the future (`2024-09-03`), of one or
        all aggregators."""

    async def resend_flush(self, flush_id: str, change: Change) -> Resent | None:
        """Appends a flush to its output topic again, byte for byte, and the reason to
        `aggregates.audit`; returns when both are durable. None when no output topic has it (any
        more). With `change.idempotency_key` it is sent once for that key."""

    async def retract_event(
        self, aggregator: str, event_id: object, group: Mapping[str, object], change: Change
    ) -> Retracted | None:
        """Takes one event back that the aggregator counted: a flush of its own, flushType
        `COMMAND`, everything negative, exactly once however often it is asked for. `group` narrows
        where several sessions counted the id. None for an aggregator nobody has heard of. Raises
        RetractionRefused."""

    async def find_retractable(
        self, aggregator: str, event_id: object, group: Mapping[str, object]
    ) -> Retractable | None:
        """What `retract_event` would do; nothing changes, and it needs no reason. None and raises
        as that."""

    # Commands

    async def count_command(
        self, aggregator: str, action: str, asked: Mapping[str, object], change: Change
    ) -> Commanded | None:
        """How many open sessions a command would touch; nothing changes, and it needs no reason.

        `action` is flush, delete, set-timeout or erase; `asked` has `group` or `filter` and, with
        set-timeout, `due`. None for an aggregator nobody has heard of. Raises DocumentError.
        `done` is False when there were too many to count in some seconds: then at least so many.
        """

    async def give_command(
        self,
        aggregator: str,
        action: str,
        asked: Mapping[str, object],
        change: Change,
        wait_s: float,
    ) -> Commanded | None:
        """Gives a command: durable when it returns, and carried out once whatever is killed.

        Waits up to `wait_s` until it is carried out (`done`). Arguments and errors as those of
        `count_command`, and a reason is needed; IdempotencyConflict.
        """

    async def command(self, aggregator: str, command_id: str) -> Commanded | None:
        """What has come of a command so far; None while nothing has, or when it is forgotten."""

    # Dead letters

    async def dead_letters(
        self, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[DeadLetter]:
        """Letters, newest first. `where` may hold `reason`, `aggregator`, `topic`, `replayed`
        (`yes` or `no`)."""

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """One letter by its id."""

    async def dead_letter_counts(self) -> Sequence[DeadLetterCount]:
        """Letters by reason and aggregator, most first."""

    async def replay_dead_letters(
        self, where: Mapping[str, str], change: Change, dry_run: bool, wait_s: float
    ) -> Replay:
        """Has the letters applied again that were not replayed; each is applied at most once.

        `where` may hold `id`, `reason`, `aggregator`, `topic`; empty, it is for all. Returns when
        the command is durable on the audit topic and with each letter's shard, and all answered or
        `wait_s` is over. The same `change.idempotency_key` asks for no further letters; it raises
        IdempotencyConflict for other filters. With `dry_run` nothing is written.
        """

    # Sinks

    async def sinks(self) -> Sequence[SinkStatus]:
        """The sinks in force, by name."""

    async def sink_taken(self, name: str, ids: Sequence[str]) -> Sequence[Taken] | None:
        """What became of each id, in order; None when there is no such sink."""

    # Topics

    async def topics(self, config: bool = False) -> Sequence[TopicInfo]:
        """Every topic of this installation by its public name (without the prefix); with `config`
        also how each is set, which asks the stream for one after the other."""

    def output_topics(self) -> Set[str]:
        """The public topics that documents of now or before had something written to."""

    async def growths(self) -> Sequence[GrowthInfo]:
        """All growths of partitions, the newest first."""

    async def grow(
        self, partitions: int, inputs: Sequence[str] | None, change: Change
    ) -> GrowthInfo:
        """Asks for so many partitions of sessions, and of these inputs (None: those in use that
        have as many as sessions have). Durable when it returns, and goes on by itself; asked
        again it tells how far it is. Raises GrowthRefused."""

    async def append_records(
        self, topic: str, rows: Sequence[Row], idempotency: Idempotency | None
    ) -> Appended:
        """Appends `rows` to the public topic and returns once they are durable.

        A row with a key goes to the partition Kafka's partitioner gives, keyless ones are
        spread; timestamps left None are the product clock's. With `idempotency`, each row of
        that (key, fingerprint) is appended exactly once within 24 h however often it is asked
        and whatever is killed in between: a repeat appends what is missing, nothing else, and
        says `repeated`. The same key with another fingerprint raises IdempotencyConflict.
        Raises UnknownTopic, RecordTooLarge, DiskFull.
        """

    async def read_records(self, topic: str, cursor: str, limit: int, wait_s: float) -> RecordPage:
        """Up to `limit` records of all partitions from `cursor` on: `beginning`, `end`, or a
        `next` of an earlier answer. At the end it waits up to `wait_s` for more, then returns
        none and the same cursor. Raises UnknownTopic, BadCursor."""

    # Tables

    async def tables(self) -> Sequence[TableInfo]:
        """The tables of keyed state that can be looked into."""

    async def table_row(self, table: str, key: str) -> TableRow | None:
        """One row from the worker that owns it; None for no such row or table."""

    async def table_rows(
        self, table: str, prefix: str, limit: int, cursor: str | None
    ) -> Page[TableRow] | None:
        """Rows whose key text begins with `prefix`, in key order; None for no such table."""

    async def back_up(self, *, stream: bool) -> BackedUp:
        """Backs this worker's state up below its data directory, and the embedded stream with
        it if `stream`. Returns when that is durable: as long as copying the stream takes."""
