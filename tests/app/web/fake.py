"""A backend in memory with no, little or big data; tests and the trial server run on it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from app import shapes
from app.backend import BadCursor, FlushNotFound, RetractionRefused
from app.day_shapes import Day, DayFlushes, DayTotals, Resent, Retractable, Retracted
from app.history_shapes import Explained, Preview, Whereabouts
from app.since import Since
from config.documents.base import DocumentError, Problem
from config.documents.registry import load_document
from domain.clock import FixedClock
from tests.app.web import made, past
from tests.app.web.fake_campaigns import FakeCampaigns
from tests.app.web.fake_commands import FakeCommands
from tests.app.web.fake_figures import FakeFigures
from tests.app.web.fake_impressions import FakeImpressions
from tests.app.web.fake_insight import FakeInsight
from tests.app.web.fake_records import FakeRecords
from tests.app.web.fake_sinks import FakeSinks
from tests.app.web.fake_sources import FakeSources

Size = Literal["none", "little", "big"]
# size -> open sessions
OPEN = {"none": 0, "little": 3, "big": 10_204_551}
LETTERS = {"none": 0, "little": 6, "big": 1200}


class FakeBackend(
    FakeCampaigns,
    FakeCommands,
    FakeFigures,
    FakeImpressions,
    FakeInsight,
    FakeRecords,
    FakeSinks,
    FakeSources,
):
    """Answers at once. `trouble` and `ready_now` and `clock_shown` may be set by a test."""

    def __init__(self, size: Size = "little", clock: FixedClock | None = None) -> None:
        self.clock = clock or FixedClock(made.NOW_MS)
        self.size: Size = size
        self.ready_now = shapes.Readiness(True)
        self.clock_shown: shapes.ClockInfo | None = None
        self.trouble: list[shapes.Trouble] = [made.TROUBLE] if size == "big" else []
        self.failing: Exception | None = None
        self.calls: list[str] = []
        self.retracted: list[tuple[str, object, dict[str, object], str]] = []
        self.resent: list[tuple[str, shapes.Change]] = []
        super().__init__()
        # ids of letters replayed since, and the commands that there were
        self.replayed: set[str] = set()
        self.replays: list[tuple[Mapping[str, str], shapes.Change]] = []
        # (kind, name) -> versions, oldest first
        self.history: dict[tuple[str, str], list[shapes.DocumentVersion]] = {}
        self.previews: dict[str, Preview] = {}
        if size != "none":
            self._documents()
            begun = past.running(made.DATA, "24h", made.NOW_MS)
            found = past.result({"little": 3, "big": 120}[size], made.NOW_MS)
            self.previews["p-0"] = replace(begun, id="p-0", state="done", result=found)

    @property
    def open_sessions(self) -> int:
        return OPEN[self.size]

    def _documents(self) -> None:
        older = {**made.DATA, "aggregate": [{"field": "bytes", "operation": "sum"}]}
        bodies: list[dict[str, object]] = [older, {**made.DATA, "ttl_days": 90}, made.DATA]
        for n, body in enumerate(bodies):
            at_ms = made.NOW_MS - (3 - n) * 40 * made.HOUR_MS
            self._add("aggregator", "data-per-account", body, "ada", f"change {n + 1}", at_ms)
        self._add("aggregator", "example-nightly", made.NIGHTLY, "sluice", "", made.NOW_MS, True)

    def _add(
        self, kind: str, name: str, body: Mapping[str, object] | None, actor: str,
        reason: str, at_ms: int, example: bool = False,
    ) -> int:  # fmt: skip
        versions = self.history.setdefault((kind, name), [])
        number = len(versions) + 1
        versions.append(
            shapes.DocumentVersion(kind, name, number, body, at_ms, actor, reason, example)
        )
        return number

    def _now(self) -> int:
        if self.failing is not None:
            raise self.failing
        now: int = self.clock.now_ms()
        return now

    async def ready(self) -> shapes.Readiness:
        return self.ready_now

    async def clock_info(self) -> shapes.ClockInfo:
        return self.clock_shown or shapes.ClockInfo(self.clock.now_ms())

    async def overview(self) -> shapes.Overview:
        self.calls.append("overview")
        now, count = self._now(), OPEN[self.size]
        scale = {"none": 0.0, "little": 4.0, "big": 148_000.0}[self.size]
        behind = 2 if self.trouble else 0
        letters = LETTERS[self.size]
        return shapes.Overview(
            now, 4, behind, 41_022 if behind else 0, 9.0 if behind else 0.0,
            14.0 if behind else None, scale, scale * 0.12, count,
            now + 12_000 if count else None, 0, letters,
            made.summaries(count, now, scale) if count else (), self.trouble,
            made.rates(now, scale) if count else (),
        )  # fmt: skip

    async def workers(self) -> Sequence[shapes.Worker]:
        return made.workers(bool(self.trouble))

    async def metrics(self) -> Sequence[shapes.Sample]:
        return [
            shapes.Sample("sluice_open_sessions", OPEN[self.size], {"aggregator": 'a"b\\c'}),
            shapes.Sample("sluice_lag_seconds", 0.25),
        ]

    async def documents(self, kind: str | None = None) -> Sequence[shapes.DocumentVersion]:
        self._now()
        latest = [versions[-1] for _, versions in sorted(self.history.items())]
        return [v for v in latest if v.body is not None and kind in (None, v.kind)]

    async def document(self, kind: str, name: str) -> shapes.DocumentVersion | None:
        versions = self.history.get((kind, name))
        return versions[-1] if versions and versions[-1].body is not None else None

    async def versions(self, kind: str, name: str) -> Sequence[shapes.DocumentVersion]:
        return list(reversed(self.history.get((kind, name), [])))

    async def document_status(self, kind: str, name: str) -> shapes.DocumentStatus | None:
        found = await self.document(kind, name)
        if found is None:
            return None
        return shapes.DocumentStatus(found.version, True, {"w-1": found.version})

    async def validate(self, body: Mapping[str, object]) -> Sequence[Problem]:
        try:
            load_document(body)
        except DocumentError as error:
            return error.problems
        return ()

    async def put_document(
        self, kind: str, name: str, body: Mapping[str, object], change: shapes.Change,
        wait_s: float,
    ) -> shapes.Changed:  # fmt: skip
        load_document(body)
        created = await self.document(kind, name) is None
        number = self._add(kind, name, body, change.actor, change.reason, self._now())
        return shapes.Changed(number, wait_s > 0, created)

    async def delete_document(
        self, kind: str, name: str, change: shapes.Change, wait_s: float
    ) -> shapes.Changed | None:
        if await self.document(kind, name) is None:
            return None
        number = self._add(kind, name, None, change.actor, change.reason, self._now())
        return shapes.Changed(number, wait_s > 0)

    async def try_record(
        self, document: Mapping[str, object], records: Sequence[bytes]
    ) -> shapes.Trial:
        load_document(document)
        shown = made.record(1, self._now())
        good = [text for text in records if text.startswith(b"{")]
        rejected = [
            shapes.Rejected(i, "undecodable", "the record is no JSON")
            for i, text in enumerate(records)
            if text not in good
        ]
        return shapes.Trial([json.dumps(shown).encode()] if good else [], (), rejected, ())

    async def start_preview(
        self, document: Mapping[str, object], since: Since, text: str
    ) -> Preview:
        load_document(document)
        self.previews["p-1"] = past.running(document, text, self._now())
        return self.previews["p-1"]

    async def preview(self, preview_id: str, wait_s: float) -> Preview | None:
        found = self.previews.get(preview_id)
        if found is not None and wait_s:
            self.finish_preview()
        return self.previews.get(preview_id)

    def finish_preview(self) -> None:
        """Brings the preview to its end."""
        number = {"none": 0, "little": 3, "big": 120}[self.size]
        found = past.result(number, self._now())
        self.previews["p-1"] = replace(
            self.previews["p-1"], state="done", read=self.previews["p-1"].records, result=found
        )

    async def stop_preview(self, preview_id: str) -> Preview | None:
        found = self.previews.get(preview_id)
        if found is not None and not found.over:
            self.previews[preview_id] = replace(found, state="stopped")
        return self.previews.get(preview_id)

    async def explain(
        self, aggregator: str, flush_id: str, where: Whereabouts, limit: int, cursor: str | None
    ) -> Explained | None:
        self.calls.append(f"explain {flush_id} {where}")
        document = await self.document("aggregator", aggregator)
        if document is None:
            return None
        if not flush_id.endswith("c0ffee"):
            raise FlushNotFound(flush_id, 8_000, False)
        return past.explained(int(flush_id[:8], 16), self._now(), document)

    async def sessions(
        self, aggregator: str, group: Mapping[str, str], limit: int, cursor: str | None
    ) -> shapes.Page[shapes.SessionRow] | None:
        if ("aggregator", aggregator) not in self.history:
            return None
        now = self._now()
        account = group.get("account")
        if account is not None:
            i = int(account[4:]) if account[4:].isdigit() else -1
            found = [made.session(i, now)] if 0 <= i < OPEN[self.size] else []
            return shapes.Page(found)
        if cursor is not None and not cursor.isdigit():
            raise BadCursor(cursor)
        start = int(cursor or 0)
        end = min(start + limit, OPEN[self.size] if aggregator == "data-per-account" else 0)
        items = [made.session(i, now) for i in range(start, end)]
        return shapes.Page(items, str(end) if items and end < OPEN[self.size] else None)

    async def session(self, aggregator: str, key: str) -> shapes.SessionDetail | None:
        try:
            i = int(json.loads(key)[0][4:])
        except (ValueError, IndexError, TypeError):
            return None
        now = self._now()
        opened = made.session(i, now) if i < OPEN[self.size] else None
        return shapes.SessionDetail(aggregator, key, opened, made.flushes(i, now))

    async def totals(self, aggregator: str | None) -> Sequence[shapes.Totals]:
        names = [v.name for v in await self.documents("aggregator")]
        count = OPEN[self.size] * 40
        parts = {"in": count * 3 + 7, "open": count, "flushed": count * 2, "duplicates": 4,
                 "rejected": 3, "expired": 0, "deleted": 0}  # fmt: skip
        sums = {"sum_bytes": {"in": 10**19, "open": 4 * 10**18, "flushed": 6 * 10**18,
                              "expired": 0, "deleted": 0}}  # fmt: skip
        wanted = [name for name in names if aggregator in (None, name)]
        return [shapes.Totals(name, parts, sums, True) for name in wanted]

    async def day_totals(self, day: str, aggregator: str | None) -> Day:
        found = await self.totals(aggregator)
        moved = [
            DayTotals(
                each.aggregator,
                {"opening": 0, **each.count},
                {name: {"opening": 0, **of} for name, of in each.sums.items()},
                [DayFlushes("TIMEOUT", 2, 5, {"sum_bytes": Decimal("2.5")})],
                each.balanced,
            )
            for each in found
        ]
        balanced = all(item.balanced for item in moved)
        return Day(day, self._now(), self._now(), moved, balanced)

    async def retract_event(
        self,
        aggregator: str,
        event_id: object,
        group: Mapping[str, object],
        change: shapes.Change,
    ) -> Retracted | None:
        self.retracted.append((aggregator, event_id, dict(group), change.reason))
        if event_id == "max":
            raise RetractionRefused("nothing negative can correct max_bytes")
        return None if aggregator == "gone" else Retracted("f1", aggregator, '["a", 1.5]', True)

    async def find_retractable(
        self, aggregator: str, event_id: object, group: Mapping[str, object]
    ) -> Retractable | None:
        if event_id == "max":
            raise RetractionRefused("nothing negative can correct max_bytes")
        if aggregator == "gone":
            return None
        self.calls.append(f"find_retractable {event_id!r} {dict(group)}")
        value = json.dumps({"id": str(event_id), "bytes": 5}).encode()
        found = Retractable("f1", aggregator, made.key_of(1), "usage", 1, 4711, value, True)
        if event_id == "e-again":
            return found
        return replace(found, repeated=False, session_id="s1", session_records=3)

    async def resend_flush(self, flush_id: str, change: shapes.Change) -> Resent | None:
        self.resent.append((flush_id, change))
        return None if flush_id == "gone" else Resent(flush_id, "aggregates", 1, 7)

    async def dead_letters(
        self, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> shapes.Page[shapes.DeadLetter]:
        now, start = self._now(), _place(cursor)
        found = self._letters(now)
        for name in ("reason", "aggregator", "topic"):
            found = [one for one in found if where.get(name) in (None, getattr(one, name))]
        if "replayed" in where:
            yes = where["replayed"] == "yes"
            found = [one for one in found if (one.replayed_at_ms is not None) == yes]
        end = start + limit
        return shapes.Page(found[start:end], str(end) if end < len(found) else None)

    async def dead_letter(self, letter_id: str) -> shapes.DeadLetter | None:
        found = self._letters(self._now())
        return next((one for one in found if one.id == letter_id), None)

    def _letters(self, now: int) -> list[shapes.DeadLetter]:
        found = [made.letter(i, now) for i in range(LETTERS[self.size])]
        return [
            replace(one, replayed_at_ms=now) if one.id in self.replayed else one for one in found
        ]

    async def replay_dead_letters(
        self, where: Mapping[str, str], change: shapes.Change, dry_run: bool, wait_s: float
    ) -> shapes.Replay:
        """What can't be decoded is refused again."""
        found = [
            one
            for one in self._letters(self._now())
            if one.replayed_at_ms is None
            and all(getattr(one, n) == value for n, value in where.items() if n != "not_topic")
            and one.topic != where.get("not_topic")
        ]
        good = [one.id for one in found if one.reason != "undecodable"]
        if not dry_run:
            self.replayed.update(good)
            self.replays.append((dict(where), change))
        refused = len(found) - len(good)
        reasons = {"undecodable": refused} if refused else {}
        command = "" if dry_run else f"command{len(self.replays)}"
        return shapes.Replay(
            command, dry_run, len(found), len(good), refused, 0, len(found), reasons
        )

    async def dead_letter_counts(self) -> Sequence[shapes.DeadLetterCount]:
        count = LETTERS[self.size] // len(made.REASONS)
        if not count:
            return ()
        now = self._now()
        return [
            shapes.DeadLetterCount(reason, None if reason == "undecodable" else "data-per-account",
                                   count, count - 1 if n == 0 else count, now - 60_000 * (n + 1))
            for n, reason in enumerate(made.REASONS)
        ]  # fmt: skip

    # Topics

    async def tables(self) -> Sequence[shapes.TableInfo]:
        return [shapes.TableInfo("sessions", 4, "open sessions", OPEN[self.size], None)]

    async def table_row(self, table: str, key: str) -> shapes.TableRow | None:
        page = await self.table_rows(table, "", 10, None)
        return next((row for row in page.items if row.key == key), None) if page else None

    async def table_rows(
        self, table: str, prefix: str, limit: int, cursor: str | None
    ) -> shapes.Page[shapes.TableRow] | None:
        if table != "sessions":
            return None
        rows = [
            shapes.TableRow(made.key_of(i), json.dumps({"n": i}).encode(), i % 4, "w-1")
            for i in range(min(OPEN[self.size], 10))
        ]
        return shapes.Page([row for row in rows if row.key.startswith(prefix)][:limit])

    def age(self, name: str, days: int) -> None:
        """Makes the latest version of an aggregator `days` old."""
        versions = self.history["aggregator", name]
        versions[-1] = replace(versions[-1], at_ms=versions[-1].at_ms - days * 24 * made.HOUR_MS)

    async def back_up(self, *, stream: bool) -> shapes.BackedUp:
        self.calls.append(f"back up, stream {stream}")
        self._now()
        return shapes.BackedUp("/data/backups/b1", (0, 1), 4096)


def _place(cursor: str | None) -> int:
    if cursor is not None and not cursor.isdecimal():
        raise BadCursor(cursor)
    return int(cursor or 0)


def base64(data: bytes) -> str:
    """As a letter prints its bytes."""
    return b64encode(data).decode()
