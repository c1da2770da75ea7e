"""Digests over HTTP: which there are, and one sent now."""

from datetime import date as Date

import msgspec
from aiohttp import web

from app.alert_shapes import DigestStatus
from app.web import params
from app.web.context import BACKEND
from app.web.problems import ProblemError, not_found
from app.web.routes import IDEMPOTENCY_KEY, Answer, Route, in_path
from app.web.wire import answer, instant, read_as


class WaitingOut(msgspec.Struct):
    """A mail that the mail server has not taken yet. `detail`: what it said; empty before the first
    try, and where another worker tries."""

    id: str
    to: str
    detail: str


class DigestOut(msgspec.Struct):
    """A digest in force. `first`: the first day of the period that was told of last by itself, at
    `sent`; `next`: when it is due."""

    name: str
    every: str
    at: str
    timezone: str
    to: list[str]
    first: str | None
    sent: str | None
    next: str
    waiting: list[WaitingOut]


class DigestsOut(msgspec.Struct):
    """The digests in force, by name."""

    items: list[DigestOut]
    next: str | None = None


class DigestSentOut(msgspec.Struct):
    """What is sent, from the day `first` to the day `last`. `id`: of the mails, which wait until
    the mail server has taken them."""

    id: str
    name: str
    first: str
    last: str
    to: list[str]


class _Send(msgspec.Struct, forbid_unknown_fields=True):
    date: Date | None = None


async def list_digests(request: web.Request) -> web.StreamResponse:
    """Every digest."""
    return answer(DigestsOut([_shown(one) for one in await request.app[BACKEND].digests()]))


def _shown(one: DigestStatus) -> DigestOut:
    left = [WaitingOut(mail.id, mail.to, mail.detail) for mail in one.waiting]
    return DigestOut(
        one.name, one.every, one.at, one.timezone, list(one.to), one.first or None,
        instant(one.sent_ms or None), instant(one.next_ms) or "", left,
    )  # fmt: skip


async def send_digest(request: web.Request) -> web.StreamResponse:
    """Sends one."""
    name, body = request.match_info["name"], await request.read()
    try:
        asked = read_as(body or b"{}", _Send)
    except msgspec.DecodeError as error:
        detail = f'The body is {{"date":"2026-01-31"}} or empty: {error}.'
        raise ProblemError(400, "bad-body", detail, [{"path": "date"}]) from error
    key = params.idempotency_key(request)
    sent = await request.app[BACKEND].send_digest(name, asked.date, key)
    if sent is None:
        raise not_found(f"digest {name!r}", "GET /api/metrics/digests lists all.")
    shown = DigestSentOut(sent.id, sent.name, sent.first, sent.last, list(sent.to))
    return answer(shown, status=202)


ROUTES = (
    Route(
        "GET",
        "/api/metrics/digests",
        list_digests,
        "Lists the digests, when each is due, and mails that wait",
        "Metrics",
        {200: Answer("the digests by name", DigestsOut)},
    ),
    Route(
        "POST",
        "/api/metrics/digests/{name}/send",
        send_digest,
        "Sends a digest now",
        "Metrics",
        {202: Answer("what is sent; the mails go out beside that", DigestSentOut)},
        (in_path("name", "the digest's name"), IDEMPOTENCY_KEY),
        {
            "application/json": "`{date}`: a day of the period that it is to be about; without one "
            "the last that is over"
        },
        {
            400: "the body can't be read",
            404: "there is no such digest",
            409: "it has nobody to go to, there is no mail server, or the period has not begun",
            422: "the Idempotency-Key stands for another request",
            503: "no worker has its shard open now",
        },
    ),
)
