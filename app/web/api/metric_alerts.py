"""Alerts about metrics and sources over HTTP."""

import msgspec
from aiohttp import web

from app.alert_shapes import AlertStatus
from app.web import params
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import ProblemError, not_found
from app.web.routes import IDEMPOTENCY_KEY, Answer, Route, in_path
from app.web.wire import answer, instant, read_as
from domain.metrics.moments import moment_ms


class MetricAlertOut(msgspec.Struct):
    """An alert, once for each source where it is about any. `value`: of its last change; `since`:
    of its last start; until `silent_until` nobody is told. `text`: of its last start or end, which
    was `told` then."""

    name: str
    metric: str | None
    source: str | None
    state: str
    value: float | None
    mark: float
    since: str | None
    acknowledged_by: str
    silent_until: str | None
    text: str
    told: str | None


class MetricAlertsOut(msgspec.Struct):
    """The alerts in force, by name."""

    items: list[MetricAlertOut]
    next: str | None = None


class _Silence(msgspec.Struct, forbid_unknown_fields=True):
    until: str


def _shown(one: AlertStatus) -> MetricAlertOut:
    return MetricAlertOut(
        one.name,
        one.subject if one.about == "metric" else None,
        one.subject if one.about == "source" else None,
        "started" if one.started else "ended",
        one.value,
        one.mark,
        instant(one.since_ms or None),
        one.acknowledged_by,
        instant(one.silent_until_ms or None),
        one.text,
        instant(one.told_ms or None),
    )


async def list_alerts(request: web.Request) -> web.StreamResponse:
    """Every alert."""
    return answer(
        MetricAlertsOut([_shown(one) for one in await request.app[BACKEND].metric_alerts()])
    )


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Somebody sees to it."""
    return await _change(request, acknowledged_by=actor_of(request))


async def silence(request: web.Request) -> web.StreamResponse:
    """Nobody is told for a time."""
    try:
        asked = read_as(await request.read(), _Silence)
    except msgspec.DecodeError as error:
        detail = f'The body is {{"until":"2026-01-31T12:00:00Z"}}: {error}.'
        raise ProblemError(400, "bad-body", detail, [{"path": "until"}]) from error
    until_ms = moment_ms(asked.until)
    if until_ms is None:
        problem = {"path": "until", "value": asked.until, "expected": "a date or an instant"}
        raise ProblemError(422, "bad-body", "until is no date or instant.", [problem])
    return await _change(request, silent_until_ms=until_ms)


async def _change(request: web.Request, **changes: str | int) -> web.StreamResponse:
    name = request.match_info["name"]
    backend = request.app[BACKEND]
    if not await backend.change_alert(name, changes, params.idempotency_key(request)):
        raise not_found(f"alert {name!r}", "GET /api/metrics/alerts lists all.")
    found = [_shown(one) for one in await backend.metric_alerts() if one.name == name]
    return answer(MetricAlertsOut(found))


_NAME = in_path("name", "the alert's name")
_NONE = {
    404: "there is no such alert",
    422: "the Idempotency-Key stands for another request",
    503: "no worker has it open now",
}
_ALL = {200: Answer("the alert, once for each of its sources", MetricAlertsOut)}

ROUTES = (
    Route(
        "GET",
        "/api/metrics/alerts",
        list_alerts,
        "Lists the alerts about metrics and sources",
        "Metrics",
        {200: Answer("the alerts by name", MetricAlertsOut)},
    ),
    Route(
        "POST",
        "/api/metrics/alerts/{name}/acknowledge",
        acknowledge,
        "Says that somebody sees to an alert, until it ends",
        "Metrics",
        _ALL,
        (_NAME, IDEMPOTENCY_KEY),
        problems=_NONE,
    ),
    Route(
        "POST",
        "/api/metrics/alerts/{name}/silence",
        silence,
        "Tells nobody of an alert for a time",
        "Metrics",
        _ALL,
        (_NAME, IDEMPOTENCY_KEY),
        {"application/json": '`{"until"}`: a date or an instant'},
        {
            **_NONE,
            400: "the body can't be read",
            422: "`until` is no date or instant, or the Idempotency-Key stands for another request",
        },
    ),
)
