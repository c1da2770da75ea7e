"""Figures, from whichever workers own the rollups."""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from agents.roll_up import EVENTS
from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.metric_names import declared, formula_of, may_be_any
from app.facade.owners import LOOK_S, MOVING_S, owned
from app.facade.parts import Parts
from app.facade.remembered import Remembered, States
from app.metrics_backend import Asked, BadRange, Figured, MetricDimensions, TooManyBuckets
from app.source_parts import open_archive
from app.sql.archived import archive_stream
from app.sql.run import SqlLimits, Statements
from app.sql.tables import rows_of, stream_of
from connectors.files.base import FilesError
from domain.aggregation.instants import parse_instant
from domain.aggregation.zones import first_instant_at
from domain.errors import Reject
from domain.masking import Masker
from domain.metrics.asking import Question, answer, dimensions_of, metrics_of, some_of
from domain.metrics.calculating import Formula
from domain.metrics.combining import (
    BUCKETS_MAX,
    Shown,
    calculated,
    series_shown,
    shown_by,
)
from domain.metrics.grains import Grain, begins, bounds, buckets, earlier, text_of
from domain.metrics.latest import latest
from domain.metrics.series import Series

DIMENSIONS = 1
"""Where a row of the table has them."""
FIGURES, METRICS, ROWS = "rollup_figures", "rollup_metrics", "rollup_rows"
LATEST, STATES, NAMED = "rollup_latest", "rollup_states", "rollup_dimensions"
PAGE = 500  # buckets read at a time: some milliseconds, then others have their turn
TABLE_MAX = 1_000_000  # buckets that a statement is given: seconds to read, 300 MB to hold
DAY_MS = 86_400_000
USUAL: dict[Grain, int] = {"hour": 2, "day": 30, "week": 182, "month": 366, "quarter": 1096,
                           "year": 3653}  # fmt: skip
"""Days up to now that are told of when nothing else was asked for."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = re.compile(r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)$")
WANTED = "a date like 2024-03-31 or an instant like 2024-03-31T12:00:00Z"


class Rollups:
    """See `MetricsBackend`."""

    def __init__(self, parts: Parts, peers: Peers) -> None:
        self._parts, self._peers = parts, peers
        self.remembered = Remembered()
        self.questions = {
            STATES: self._tell_states,
            FIGURES: self._tell,
            METRICS: self._tell_metrics,
            ROWS: self._tell_rows,
            LATEST: self._tell_latest,
            NAMED: self._tell_dimensions,
        }
        settings = parts.settings
        self._statements = Statements(
            SqlLimits(settings.sql_seconds, settings.sql_rows, settings.sql_memory_mb)
        )

    async def _tell_states(self, _: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """How many commits each shard has, of those that are open here."""
        if self._parts.rollups is None:
            return {}
        return {
            number: {"epoch": shard.ledger.changelog.epoch, "told": shard.ledger.marker.sequence}
            for number, shard in self._parts.rollups.work.shards.open_ones().items()
        }

    async def _tell(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """What the shards that are open here know: [[series, points]]."""
        question = Question(**asked)
        return {
            number: {
                "epoch": epoch,
                "told": [
                    [[series.metric, series.type, series.dimensions, series.zone], points]
                    for series, points in answer(book, question)
                ],
            }
            for number, (epoch, book) in self._books().items()
        }

    async def _tell_metrics(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """All metrics, or those that `names` has."""
        names = asked.get("names")
        return {
            number: {
                "epoch": epoch,
                "told": metrics_of(book) if names is None else some_of(book, names),
            }
            for number, (epoch, book) in self._books().items()
        }

    async def _tell_rows(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """A page of buckets of each shard that is open here; `after` by shard."""
        found = {}
        for number, (epoch, book) in self._books().items():
            after = asked["after"].get(str(number), b"")
            rows, reached = ([], None) if after is None else rows_of(book, after, PAGE)
            found[number] = {"epoch": epoch, "told": [rows, reached]}
        return found

    async def _tell_latest(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        return {
            number: {"epoch": epoch, "told": latest(book, **asked)}
            for number, (epoch, book) in self._books().items()
        }

    async def latest(
        self, metric: str, where: Mapping[str, Sequence[str]], grain: Grain, at_ms: int
    ) -> tuple[float, int] | None:
        """(value, epoch ms of the last record) of a metric at that instant, as `latest` of
        `domain.metrics.latest`; a calculated one's is that of its bucket. None without a value."""
        if self._expression(metric) is not None:
            to = text_of("UTC", at_ms + 1)
            started = text_of("UTC", bounds(grain, "UTC", at_ms)[0])
            found = await self.figures(Asked(metric, grain, started, to, (), where, None, "UTC"))
            points = found.series[0]["points"] if found.series else []
            value = points[-1]["value"] if points else None
            return None if value is None else (value, at_ms)
        asked = {"metric": metric, "where": dict(where), "grain": grain, "at_ms": at_ms}
        told = [one for one in (await self._ask(LATEST, asked)).values() if one is not None]
        if not told:
            return None
        return sum(value for value, _ in told), max(last for _, last in told)

    async def table(self, masker: Masker | None = None) -> bytes:
        """Every bucket that has values, as an Arrow stream, its dimensions masked. Raises
        TooManyBuckets.
        """
        rows: list[list[Any]] = []
        after: dict[str, bytes | None] = {}
        while True:
            told = await self._ask(ROWS, {"after": after})
            for number, (page, reached) in told.items():
                if masker is not None:
                    for row in page:
                        row[DIMENSIONS] = masker.value("", row[DIMENSIONS])
                rows += page
                after[str(number)] = reached
            if len(rows) > TABLE_MAX:
                raise TooManyBuckets(TABLE_MAX)
            if all(reached is None for reached in after.values()):
                return await asyncio.to_thread(stream_of, rows)

    async def sql(self, statement: str, masker: Masker | None = None) -> dict[str, Any]:
        """See `MetricsBackend.sql`."""
        asked = "archive" in statement.lower()  # read only for who may mean it: it is the history
        archive = open_archive(self._parts.settings) if asked else None
        try:
            archived = await asyncio.to_thread(archive_stream, archive, masker)
        except FilesError as error:
            raise Unavailable("the archive", str(error)) from error
        return await self._statements.run(statement, await self.table(masker), archived)

    def _books(self) -> dict[int, Any]:
        return {} if self._parts.rollups is None else dict(self._parts.rollups.books())

    async def known(self) -> Mapping[str, tuple[str, str]]:
        """See `MetricsBackend.known_metrics`."""
        return await self._known({})

    async def _known(self, asked: dict[str, Any]) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for told in (await self._ask(METRICS, asked)).values():
            found |= {name: (kind, zone) for name, (kind, zone) in told.items()}
        return dict(sorted(found.items()))

    async def figures(self, asked: Asked) -> Figured:
        """See `MetricsBackend.figures`."""
        expression = self._expression(asked.metric)
        names = [asked.metric] if expression is None else expression.metrics
        states = await self._states()
        zone = asked.zone
        if not zone:
            known = await self._known({"names": names})
            zones = [known[name][1] for name in names if name in known]
            # one without values has the zone that they will have
            zones += [at for name in names for _, at in declared(self._parts.documents, name)]
            zone = zones[0] if zones else "UTC"
        now_ms = self._parts.clock.now_ms()
        starts = self._starts(asked, zone, now_ms)
        key = _key(asked, None if expression is None else expression.text, zone, starts, now_ms)
        held = None if states is None else self.remembered.get(key, states)
        if held is not None:
            return Figured(asked.metric, asked.grain, zone, held)
        found = {name: await self._shown(name, asked, zone, starts) for name in names}
        shown = found[asked.metric] if expression is None else calculated(found, expression.value)
        if len(shown) * len(starts) > BUCKETS_MAX:
            raise TooManyBuckets(BUCKETS_MAX)
        series = series_shown(shown, asked.group, starts, asked.grain, zone, asked.overlay, now_ms)
        if states is not None:
            self.remembered.put(key, states, series)
        return Figured(asked.metric, asked.grain, zone, series)

    def _expression(self, metric: str) -> Formula | None:
        return formula_of(self._parts.documents, metric)

    async def _tell_dimensions(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """The dimensions of a metric's series, of those that are open here; None without series."""
        return {
            number: {"epoch": epoch, "told": dimensions_of(book, asked["metric"])}
            for number, (epoch, book) in self._books().items()
        }

    async def dimensions(self, metric: str, named: Collection[str]) -> MetricDimensions | None:
        """See `MetricsBackend.metric_dimensions`."""
        documents, formula = self._parts.documents, self._expression(metric)
        names = [metric] if formula is None else formula.metrics
        said = [each for name in names for each, _ in declared(documents, name)]
        found = {dimension for each in said for dimension, _ in each.dimensions}
        there = formula is not None or bool(said)
        if there and found.issuperset(named):
            return MetricDimensions(found)  # every series need not be looked at
        for name in names:
            told = (await self._ask(NAMED, {"metric": name})).values()
            seen = [one for one in told if one is not None]
            there |= bool(seen)
            found.update(*seen)
        if may_be_any(documents):
            return MetricDimensions(found, closed=False)
        return MetricDimensions(found) if there else None

    def _starts(self, asked: Asked, zone: str, now_ms: int) -> list[int]:
        to_ms = instant_in(zone, "to", asked.to) if asked.to else now_ms + 1
        usual = to_ms - USUAL[asked.grain] * DAY_MS
        from_ms = instant_in(zone, "from", asked.from_) if asked.from_ else usual
        if asked.from_ and asked.to and to_ms < from_ms:
            raise BadRange("to", asked.to, f"a time that is not before {asked.from_}")
        try:
            if (to_ms - from_ms) > BUCKETS_MAX * 2 * 366 * DAY_MS:
                raise TooManyBuckets(BUCKETS_MAX)
            found = buckets(asked.grain, zone, from_ms, to_ms, BUCKETS_MAX + 1)
        except (Reject, OverflowError, ValueError) as error:
            raise BadRange("from", asked.from_ or asked.to, "within the years 2 to 9998") from error
        if len(found) > BUCKETS_MAX:
            raise TooManyBuckets(BUCKETS_MAX)
        return [start for start, _ in found]

    async def _shown(self, metric: str, asked: Asked, zone: str, starts: list[int]) -> Shown:
        if not starts:
            return {}
        spans = [(starts[0], bounds(asked.grain, zone, starts[-1])[1])]
        if asked.overlay is not None:
            first = earlier(asked.overlay, asked.grain, zone, starts[0])
            last = earlier(asked.overlay, asked.grain, zone, starts[-1])
            before = (first, bounds(asked.grain, zone, last)[1])
            if before[1] >= spans[0][0]:  # they meet: one question, or buckets would count twice
                spans = [(before[0], spans[0][1])]
            else:
                spans.append(before)
        where = {name: list(values) for name, values in asked.where.items()}
        told = []
        for from_ms, to_ms in spans:
            question = {
                "metric": metric, "grain": asked.grain, "zone": zone,
                "from_ms": from_ms, "to_ms": to_ms, "where": where,
            }  # fmt: skip
            for shard in (await self._ask(FIGURES, question)).values():
                told += [(Series(*series), points) for series, points in shard]
        return shown_by(told, asked.group)

    async def _states(self) -> States | None:
        """What every shard stands at; None when one does not tell: nothing is remembered then."""
        told = owned(await self._peers.ask(STATES, {}))
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 0
        if any(number not in told for number in range(count)):
            return None
        return tuple(
            (number, worker, one["epoch"], one["told"])
            for number, (worker, one) in sorted(told.items())
        )

    async def _ask(self, question: str, arguments: dict[str, Any]) -> dict[int, Any]:
        """What every shard tells. Raises Unavailable when one can't be asked soon."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + MOVING_S
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 0
        while True:
            told = owned(await self._peers.ask(question, arguments))
            missing = [number for number in range(count) if number not in told]
            if not missing:
                return {number: one["told"] for number, (_, one) in told.items()}
            if clock() >= deadline:
                which = ", ".join(map(str, missing))
                raise Unavailable(
                    f"rollups of shard {which}", "no worker of role metrics has it open"
                )
            await asyncio.sleep(LOOK_S)


def _key(
    asked: Asked, expression: str | None, zone: str, starts: Sequence[int], now_ms: int
) -> Hashable:
    """What an answer follows from, besides the rows: how much of it is over, too."""
    where = tuple((name, tuple(values)) for name, values in sorted(asked.where.items()))
    over = bisect_right(starts, now_ms)
    if starts and over == len(starts):
        over -= bounds(asked.grain, zone, starts[-1])[1] > now_ms
    else:
        over -= 1  # the bucket that now is in
    ends = (starts[0], starts[-1], over) if starts else ()
    return (asked.metric, expression, asked.grain, zone, ends, tuple(asked.group), where,
            asked.overlay)  # fmt: skip


def instant_in(zone: str, name: str, text: str) -> int:
    """Epoch ms of a date or an instant; in the zone when it has no offset. Raises BadRange."""
    try:
        if _DATE.fullmatch(text):
            return begins(zone, date.fromisoformat(text))
        at = parse_instant(text.replace(" ", "+") if "T" in text else text)
        if at is None:
            raise BadRange(name, text, WANTED)
        if _OFFSET.search(text.replace(" ", "+")[10:]):
            return at
        return first_instant_at(zone, datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise BadRange(name, text, WANTED) from error


class RollupsArea:
    """See `app.metrics_backend.MetricsBackend`."""

    _rollups: Rollups

    async def figures(self, asked: Asked) -> Figured:
        return await self._rollups.figures(asked)

    async def sql(self, statement: str, masker: Masker | None = None) -> dict[str, Any]:
        return await self._rollups.sql(statement, masker)

    async def metric_dimensions(
        self, metric: str, named: Collection[str] = ()
    ) -> MetricDimensions | None:
        return await self._rollups.dimensions(metric, named)

    async def known_metrics(self) -> Mapping[str, tuple[str, str]]:
        return await self._rollups.known()
