"""Dead letters over HTTP: what could not be applied, and why."""

from base64 import b64encode
from typing import get_args

import msgspec
from aiohttp import web

from app.shapes import DeadLetter
from app.web import params
from app.web.context import BACKEND
from app.web.problems import ProblemError, bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, instant
from domain.errors import Reason

REASONS = get_args(Reason)
FILTERS = ("reason", "aggregator", "topic", "replayed")


class DeadLetterOut(msgspec.Struct, omit_defaults=True):
    """A letter. Its position is that on the input topic; `original` is base64. `tried_at` is when
    a replay of it was last refused, for the reason that it has.
    """

    id: str
    topic: str
    partition: int
    offset: int
    aggregator: str | None
    reason: str
    detail: str
    original: str
    version: int | None
    at: str
    replayed_at: str | None = None
    tried_at: str | None = None


class DeadLettersOut(msgspec.Struct):
    """Letters, the newest first."""

    items: list[DeadLetterOut]
    next: str | None


def shown(letter: DeadLetter) -> DeadLetterOut:
    """A letter as the API and the topic print it."""
    return DeadLetterOut(
        letter.id,
        letter.topic,
        letter.partition,
        letter.offset,
        letter.aggregator,
        letter.reason,
        letter.detail,
        b64encode(letter.original).decode(),
        letter.version,
        instant(letter.at_ms) or "",
        instant(letter.replayed_at_ms),
        instant(letter.tried_at_ms),
    )


def wanted(request: web.Request) -> dict[str, str]:
    """The filters of the address that are not empty. Raises ProblemError (400)."""
    where = {name: request.query[name] for name in FILTERS if request.query.get(name)}
    if where.get("replayed") not in (None, "yes", "no"):
        raise bad_parameter("replayed", where["replayed"], "yes or no")
    return where


async def list_letters(request: web.Request) -> web.StreamResponse:
    """Letters that match all filters of the address."""
    where = wanted(request)
    if where.get("reason", REASONS[0]) not in REASONS:
        expected = f"one of {', '.join(sorted(REASONS))}"
        raise ProblemError(
            422,
            "bad-parameter",
            f"reason={where['reason']!r} is not {expected}.",
            [{"path": "reason", "value": where["reason"], "expected": expected}],
        )
    page = await request.app[BACKEND].dead_letters(
        where, params.limit(request), params.cursor(request)
    )
    return answer(DeadLettersOut([shown(letter) for letter in page.items], page.next))


async def get_letter(request: web.Request) -> web.StreamResponse:
    """One letter."""
    letter_id = request.match_info["id"]
    letter = await request.app[BACKEND].dead_letter(letter_id)
    if letter is None:
        raise not_found(f"dead letter {letter_id!r}")
    return answer(shown(letter))


ROUTES = (
    Route(
        "GET",
        "/api/dead-letters",
        list_letters,
        "Lists dead letters, the newest first",
        "Dead letters",
        {200: Answer("letters", DeadLettersOut)},
        (
            Param("reason", "only letters of this reason"),
            Param("aggregator", "only letters of this aggregator"),
            Param("topic", "only letters from this topic"),
            Param("replayed", "yes or no: only letters that were, or were not, replayed"),
            LIMIT,
            CURSOR,
        ),
        problems={422: "there is no such reason"},
    ),
    Route(
        "GET",
        "/api/dead-letters/{id}",
        get_letter,
        "Shows a dead letter",
        "Dead letters",
        {200: Answer("the letter", DeadLetterOut)},
        (in_path("id", "the letter's id"),),
        problems={404: "there is no such letter"},
    ),
)
