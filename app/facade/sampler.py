"""Counters of this worker looked at once a second: rates, how fast the backlog changes, loop lag.

Rates are of real seconds, whatever the product's clock does.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from agents.engine import TP
from app.facade.looking import EVERY_S, Looking
from app.facade.parts import Parts
from connectors.streams.base import StreamError

RATE_S = 10.0  # a rate is over so long
POINT_S = 5  # one point of the chart
POINTS = 180  # fifteen minutes of them
TREND_S = 30.0


@dataclass(frozen=True)
class Sample:
    """Counters at an instant. `seen`: records in by (shard, aggregator), of the `ready` shards."""

    at_s: float
    taken: int
    sent: int
    ready: frozenset[int]
    seen: dict[tuple[int, str], int]
    waiting: int


@dataclass
class Lag:
    """How far one consumed partition (physical topic) is behind; `moved_s` is when its position
    was last seen elsewhere, or nothing waited."""

    position: int
    end: int
    moved_s: float

    @property
    def records(self) -> int:
        return max(0, self.end - self.position)


@dataclass
class Sampler:
    """Call `start`; `crash` hears of what must not happen."""

    parts: Parts
    crash: Callable[[BaseException], None]
    now_s: Callable[[], float] = time.monotonic
    lags: dict[TP, Lag] = field(default_factory=dict)
    loop_lag_s: float = 0.0
    answered_s: float | None = None
    _samples: deque[Sample] = field(default_factory=deque)
    _points: dict[int, list[int]] = field(default_factory=dict)
    _looking: Looking | None = None

    async def start(self) -> None:
        """Looks once, and then every second until `stop`."""
        self._looking = Looking(self._look, self.crash, self.now_s)
        await self._looking.start()

    async def stop(self) -> None:
        """Ends it."""
        if self._looking is not None:
            await self._looking.stop()

    async def _look(self, lag_s: float) -> None:
        self.loop_lag_s = lag_s
        await self.look()

    async def look(self) -> None:
        """Takes one sample."""
        await self._look_at_lags()
        engine = self.parts.engine
        ready = engine.shards.open_ones()
        sample = Sample(
            self.now_s(),
            engine.intakes.records,
            sum(engine.sent.values()),
            frozenset(ready),
            {
                (number, name): totals.count["in"]
                for number, processor in ready.items()
                for name, totals in processor.shard.totals.items()
            },
            sum(lag.records for lag in self.lags.values()),
        )
        self._point(sample)
        self._samples.append(sample)
        while sample.at_s - self._samples[0].at_s > TREND_S + EVERY_S:
            self._samples.popleft()

    async def _look_at_lags(self) -> None:
        engine, names = self.parts.engine, self.parts.names
        inputs = self.parts.documents.inputs()
        positions: dict[TP, int | None] = {
            tp: engine.intakes.positions.get((names.public(tp[0]), tp[1]))
            for tp in engine.assigned
            if names.public(tp[0]) in inputs
        }
        positions |= {(names.sessions_in, n): engine.read.get(n) for n in engine.shards.owned}
        known = {tp: at for tp, at in positions.items() if at is not None}
        try:
            ends = await self.parts.log.end_offsets(known)
        except StreamError:
            return  # what is known stays; the worker itself ends or goes on, as it sees fit
        now = self.answered_s = self.now_s()
        lags: dict[TP, Lag] = {}
        for tp, position in known.items():
            before = self.lags.get(tp)
            stuck = before is not None and before.position == position and before.records > 0
            lags[tp] = Lag(position, ends[tp], before.moved_s if before and stuck else now)
        self.lags = lags

    def _point(self, sample: Sample) -> None:
        if not self._samples:
            return
        before = self._samples[-1]
        bucket = int(time.time() // POINT_S)
        point = self._points.setdefault(bucket, [0, 0])
        point[0] += max(0, sample.taken - before.taken)
        point[1] += max(0, sample.sent - before.sent)
        for old in [each for each in self._points if each <= bucket - POINTS]:
            del self._points[old]

    # What it says

    def _back(self, span_s: float) -> tuple[Sample, Sample, float] | None:
        """(first, last, seconds between) over about that span; None before there are two."""
        if len(self._samples) < 2:
            return None
        last = self._samples[-1]
        first = next(each for each in self._samples if last.at_s - each.at_s <= span_s + 0.5)
        return (first, last, last.at_s - first.at_s) if first is not last else None

    def silent_s(self) -> float:
        """For how long the stream has not answered; 0 before it was asked."""
        return 0.0 if self.answered_s is None else self.now_s() - self.answered_s

    def rates(self) -> tuple[float, float, dict[str, float]]:
        """(records in, records out, records in by aggregator) per second."""
        found = self._back(RATE_S)
        if found is None:
            return 0.0, 0.0, {}
        first, last, seconds = found
        by_name: dict[str, float] = {}
        for at, count in last.seen.items():
            if at[0] in first.ready:
                rise = max(0, count - first.seen.get(at, 0)) / seconds
                by_name[at[1]] = by_name.get(at[1], 0.0) + rise
        rate_in = max(0, last.taken - first.taken) / seconds
        return rate_in, max(0, last.sent - first.sent) / seconds, by_name

    def trend(self) -> float:
        """By how many records the backlog grows (or, below 0, shrinks) per second."""
        found = self._back(TREND_S)
        if found is None:
            return 0.0
        first, last, seconds = found
        return (last.waiting - first.waiting) / seconds

    def points(self) -> list[list[int]]:
        """[bucket, records in, records out] of the last fifteen minutes, finished ones only."""
        now = int(time.time() // POINT_S)
        return [[bucket, *point] for bucket, point in sorted(self._points.items()) if bucket < now]
