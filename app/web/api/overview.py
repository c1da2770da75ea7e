"""The Overview page as JSON."""

import msgspec
from aiohttp import web

from app.shapes import Overview
from app.web.answer_sentence import overview_sentence
from app.web.context import BACKEND
from app.web.routes import Answer, Route
from app.web.wire import answer, instant


class TroubleOut(msgspec.Struct):
    """Something someone must act on."""

    code: str
    what: str
    means: str
    todo: str
    since: str | None


class AggregatorOut(msgspec.Struct):
    """One aggregator in figures; rates in records per second."""

    name: str
    version: int
    input: str
    open_sessions: int
    next_due: str | None
    rate_in: float
    balanced: bool
    example: bool


class RateOut(msgspec.Struct):
    """Rates over the interval that ends at `at`."""

    at: str
    rate_in: float
    rate_out: float


class WorkerOut(msgspec.Struct):
    """A worker as it last told about itself."""

    id: str
    url: str
    roles: list[str]
    shards: list[int]
    state: str
    silent_seconds: float
    detail: str


class OverviewOut(msgspec.Struct):
    """How the system is. Lag in records and in seconds, rates in records per second."""

    now: str
    trial_clock: bool
    answer: str
    partitions: int
    behind: int
    lag_records: int
    lag_seconds: float
    drain_seconds: float | None
    rate_in: float
    rate_out: float
    open_sessions: int
    next_due: str | None
    overdue: int
    dead_letters: int
    live_slots: int
    alerts: int
    aggregators: list[AggregatorOut]
    troubles: list[TroubleOut]
    workers: list[WorkerOut]
    rates: list[RateOut]


async def get_overview(request: web.Request) -> web.StreamResponse:
    """The figures of the Overview page and its sentence."""
    backend = request.app[BACKEND]
    found = await backend.overview()
    clock = await backend.clock_info()
    workers = [
        WorkerOut(w.id, w.url, list(w.roles), list(w.shards), w.state, w.silent_s, w.detail)
        for w in await backend.workers()
    ]
    return answer(_shown(found, clock.trial, workers))


def _shown(found: Overview, trial: bool, workers: list[WorkerOut]) -> OverviewOut:
    return OverviewOut(
        now=instant(found.now_ms) or "",
        trial_clock=trial,
        answer=overview_sentence(found).text,
        partitions=found.partitions,
        behind=found.behind,
        lag_records=found.lag_records,
        lag_seconds=found.lag_s,
        drain_seconds=found.drain_s,
        rate_in=found.rate_in,
        rate_out=found.rate_out,
        open_sessions=found.open_sessions,
        next_due=instant(found.next_due_ms),
        overdue=found.overdue,
        dead_letters=found.dead_letters,
        live_slots=found.live_slots,
        alerts=found.alerts,
        aggregators=[
            AggregatorOut(
                a.name,
                a.version,
                a.input,
                a.open_sessions,
                instant(a.next_due_ms),
                a.rate_in,
                a.balanced,
                a.example,
            )
            for a in found.aggregators
        ],
        troubles=[
            TroubleOut(t.code, t.what, t.means, t.todo, instant(t.since_ms)) for t in found.troubles
        ],
        workers=workers,
        rates=[RateOut(instant(r.at_ms) or "", r.rate_in, r.rate_out) for r in found.rates],
    )


ROUTES = (
    Route(
        "GET",
        "/api/overview",
        get_overview,
        "The Overview page as JSON: how the system is",
        "Pages",
        {200: Answer("figures, troubles and workers", OverviewOut)},
    ),
)
