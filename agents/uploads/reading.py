"""A file read into chunks: the `rows` events of its campaign, each with what it changes here.

Which rows make a chunk, and its id, depend on the file alone. So a chunk that is made again after
a kill has the same id and content, and the shard, which has it already, passes it over.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from agents.uploads.folder import Meta
from agents.uploads.progress import Progress, Reached, RejectedRow
from connectors.formats.csv_rows import VALUE_CHARS, Row, content_size, rows, unpacked
from domain.campaigns.described import Accepted, Description, RowRule
from domain.campaigns.document import Flow

CHUNK_ROWS = 2_000
CHUNK_BYTES = 400_000  # of rows in the file: below the limit of a record, also as JSON of accents

Outcome = Accepted | RejectedRow


class Rows:
    """Takes the rows of a file in order: accepted ones, and rejected ones with why.

    `repeated` says of an accepted row whether its number was there before.
    """

    def __init__(self, description: Description, flow: Flow, columns: Sequence[str]) -> None:
        self._rule = RowRule(description, flow, columns)
        self._columns = columns
        self._reject = description.duplicates == "reject"
        self._number = description.number_column

    def take(self, record_no: int, row: Row, seen: Any) -> tuple[Outcome, bool]:
        """(what the row came to, whether its number was there before). `seen(number)` tells and
        remembers."""
        if row.fault is not None:
            place, code, value = row.fault
            named = place is not None and place < len(self._columns)
            column = self._columns[place] if named and place is not None else ""
            raw = b"" if code in ("too_long", "bad_gzip") else row.raw
            return RejectedRow(record_no, column, code, value, raw), False
        found = self._rule.take(row.cells)
        if not isinstance(found, Accepted):
            value = found.value[:VALUE_CHARS]
            return RejectedRow(record_no, found.column, found.code, value, row.raw), False
        repeated = seen(found.number)
        if repeated and self._reject:
            rejected = RejectedRow(record_no, self._number, "duplicate", found.number, row.raw)
            return rejected, True
        return found, repeated


class Chunk(msgspec.Struct):
    """Rows read in one go: `event` to be sent, then `Reading.done` with it."""

    event: dict[str, Any]
    reached: Reached


class Reading:
    """One upload being read. Calls block; one thread at a time."""

    def __init__(self, meta: Meta, description: Description, flow: Flow, home: Path) -> None:
        self._meta, self._path = meta, home / "file"
        self._progress = Progress(home / "reading.sqlite")
        self._rows = Rows(description, flow, meta.columns)
        self.reached = self._progress.reached(meta.rows_at)
        self._file: BinaryIO | None = None
        self.share = 0.0  # how much of the content was read, as the last chunk says
        self._whole = 0  # bytes of content, as the file says
        self._source: Iterator[Row] = iter(())

    def next(self) -> Chunk | None:
        """The next rows, or None when all are read; then `done` must follow, or `close`."""
        if self.reached.ended:
            return None
        source = self._open()
        self._progress.begin()
        before = at = self.reached
        rejected: list[RejectedRow] = []
        taken: list[list[Any]] = []
        size = 0
        for row in source:
            number = at.row + 1
            outcome, repeated = self._rows.take(number, row, self._progress.see)
            accepted = isinstance(outcome, Accepted)
            at = at._replace(
                at=row.end,
                row=number,
                accepted=at.accepted + accepted,
                rejected=at.rejected + (not accepted),
                duplicates=at.duplicates + repeated,
            )
            if isinstance(outcome, Accepted):
                taken.append([number, *outcome])
            else:
                rejected.append(outcome)
            size += len(row.raw)
            if number - before.row >= CHUNK_ROWS or size >= CHUNK_BYTES:
                break
        else:
            at = at._replace(ended=True)
        self._progress.reject(rejected)
        at = at._replace(chunks=at.chunks + 1)
        return Chunk(self._event(before.row, taken, at), at)

    def done(self, chunk: Chunk) -> None:
        """The events of the chunk are durable."""
        self._progress.commit(chunk.reached)
        self.reached = chunk.reached

    def finish(self) -> None:
        """All is sent: what was only needed to read the file goes."""
        self._close_file()
        self._progress.forget_seen()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of it as it is."""
        self._close_file()
        self._progress.close()

    def _open(self) -> Iterator[Row]:
        if self._file is None:
            self._file = self._path.open("rb")
            self._whole = content_size(self._file)
            content = unpacked(self._file)
            content.seek(self.reached.at)
            self._source = rows(content, self.reached.at, len(self._meta.columns))
        return self._source

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _event(self, before: int, taken: list[list[Any]], at: Reached) -> dict[str, Any]:
        request_id = self._meta.request_id
        self.share = self._share(at)
        return {
            "kind": "command",
            "id": f"{request_id}/rows/{before + 1}",
            "command": "rows",
            "request_id": request_id,
            "body": {"rows": taken, **_figures(at, self.share)},
        }

    def _share(self, at: Reached) -> float:
        """How much of the content was read: the same when a chunk is read once more."""
        if at.ended or not self._whole:
            return 1.0
        return min(1.0, at.at / self._whole)


def _figures(reached: Reached, share: float) -> dict[str, Any]:
    return {
        "accepted": reached.accepted,
        "rejected": reached.rejected,
        "duplicates_seen": reached.duplicates,
        "progress": share,
    }


def first_event(meta: Meta) -> dict[str, Any]:
    """The `upload` event: what the campaign is, as of the 202."""
    return {
        "kind": "command",
        "id": meta.request_id,
        "command": "upload",
        "request_id": meta.request_id,
        "actor": meta.actor,
        "reason": meta.reason,
        "dry_run": False,
        "body": {
            "description": meta.description,
            "flow": meta.flow,
            "now_ms": meta.now_ms,
            "file": meta.filename,
            "digest": meta.digest,
            "columns": meta.columns,
        },
    }


def last_event(meta: Meta, reached: Reached) -> dict[str, Any]:
    """The `rows_end` event: the file is read."""
    asked = {"command_id": meta.command} if meta.command else {}
    return {
        "kind": "command",
        "id": f"{meta.request_id}/rows_end",
        "command": "rows_end",
        "request_id": meta.request_id,
        "body": {"last": reached.row, **asked, **_figures(reached, 1.0)},
    }
