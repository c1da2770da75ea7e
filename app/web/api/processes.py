"""Processes over HTTP: how every worker is, and what runs."""

import msgspec
from aiohttp import web

from app.process_shapes import Minute, Running, Vitals
from app.web.api.campaign_bodies import read
from app.web.context import BACKEND
from app.web.problems import ProblemError, bad_parameter, not_found
from app.web.routes import JSON, Answer, Route
from app.web.wire import answer, instant


class MinuteOut(msgspec.Struct):
    """A whole minute, the last one under way: CPU on average, the most memory and lag."""

    time: str
    cpu: float
    memory: int
    loop_lag: float
    state_bytes: int


class WorkerOut(msgspec.Struct):
    """A worker. `cpu` in cores, `memory` and `state_bytes` in bytes, `loop_lag` in seconds; `gone`
    when it was not heard of for 30 s."""

    worker: str
    state: str
    cpu: float
    memory: int
    loop_lag: float
    state_bytes: int
    history: list[MinuteOut]


class RunningOut(msgspec.Struct):
    """Something that runs. `progress` from 0 to 1, `rate` in `unit`s per second; null: unknown.
    `cancellable`: ending it loses nothing."""

    id: str
    kind: str
    name: str
    owner: str
    started: str | None
    progress: float | None
    rate: float | None
    eta: str | None
    unit: str
    detail: str
    cancellable: bool


class ProcessesOut(msgspec.Struct):
    """Workers, the one that answers first; what runs, by kind and name."""

    workers: list[WorkerOut]
    running: list[RunningOut]


class CancelledOut(msgspec.Struct):
    """It ends with the piece it is at."""

    id: str
    cancelled: bool


def _minute(one: Minute) -> MinuteOut:
    return MinuteOut(
        instant(one.real_ms) or "", one.cpu, one.memory, one.loop_lag_s, one.state_bytes
    )


def _worker(one: Vitals) -> WorkerOut:
    return WorkerOut(
        one.worker, one.state, one.cpu, one.memory, one.loop_lag_s, one.state_bytes,
        [_minute(minute) for minute in one.history],
    )  # fmt: skip


def _running(one: Running) -> RunningOut:
    return RunningOut(
        one.id, one.kind, one.name, one.owner, instant(one.started_ms), one.progress, one.rate,
        instant(one.eta_ms), one.unit, one.detail, one.cancellable,
    )  # fmt: skip


async def get_processes(request: web.Request) -> web.StreamResponse:
    """How every worker is, and what runs on all of them."""
    found = await request.app[BACKEND].processes()
    return answer(
        ProcessesOut(list(map(_worker, found.workers)), list(map(_running, found.running)))
    )


async def cancel(request: web.Request) -> web.StreamResponse:
    """Ends what runs, where that loses nothing."""
    body = await read(request)
    ident = body.get("id")
    if not isinstance(ident, str) or not ident:
        raise bad_parameter("id", ident, "the id of something that runs, as text")
    await cancelled(request, ident)
    return answer(CancelledOut(ident, True))


async def cancelled(request: web.Request, ident: str) -> None:
    """Raises ProblemError (404, 409) when it can't be."""
    done = await request.app[BACKEND].cancel_process(ident)
    if done is None:
        raise not_found(f"running process {ident!r}", "It may have ended meanwhile.")
    if not done:
        raise ProblemError(
            409, "not-cancellable",
            "This can't be cancelled without losing something; it goes on.",
        )  # fmt: skip


ROUTES = (
    Route(
        "GET",
        "/api/processes",
        get_processes,
        "How every worker is, and what runs on all of them",
        "Processes",
        {200: Answer("workers and what runs", ProcessesOut)},
    ),
    Route(
        "POST",
        "/api/processes/cancel",
        cancel,
        "Cancels what runs, where that loses nothing",
        "Processes",
        {200: Answer("it ends with the piece it is at", CancelledOut)},
        body={JSON: '`{"id":"…"}` of something in `running` that is `cancellable`'},
        problems={404: "nothing of that id runs (any more)", 409: "it would lose something"},
    ),
)
