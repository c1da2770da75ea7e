"""Replaying dead letters over HTTP: once each, with a dry run."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from aiohttp import web

from app.shapes import Change, Replay
from app.web import params
from app.web.context import BACKEND
from app.web.people import actor_of, person_of
from app.web.problems import ProblemError, not_found
from app.web.routes import DRY_RUN, IDEMPOTENCY_KEY, JSON, Answer, Param, Route
from app.web.wire import answer, loads
from config.topics import CONFIG
from domain.errors import Reason

FILTERS = ("id", "reason", "aggregator", "topic")
REASONS = frozenset(get_args(Reason))
WAIT_S = 10.0


class ReplayOut(msgspec.Struct):
    """What was done, or with `dry_run` would be. `letters`: how many it is for; of those
    `replayed`, `refused` again (`reasons` counts them) and `waiting` for an answer. A dry run
    looks at the newest `examined`. `command` is the id on topic `aggregates.audit`.
    """

    command: str
    dry_run: bool
    letters: int
    replayed: int
    refused: int
    waiting: int
    examined: int
    reasons: dict[str, int]
    repeated: bool


def shown(replay: Replay) -> ReplayOut:
    """As the API prints it."""
    return ReplayOut(
        replay.command, replay.dry_run, replay.letters, replay.replayed, replay.refused,
        replay.waiting, replay.examined, dict(replay.reasons), replay.repeated,
    )  # fmt: skip


def wrong(path: str, value: object, expected: str) -> ProblemError:
    """422: a member of the body is not what it can be."""
    return ProblemError(
        422,
        "bad-body",
        f"{path}: {value!r} is not accepted, expected {expected}; nothing was replayed.",
        [{"path": path, "value": str(value), "expected": expected}],
    )


def read(body: Any) -> tuple[dict[str, str], str, bool]:
    """(filters, why for the audit, dry run) of a body. Raises ProblemError (422).

    Filters stand in `filter` or beside it; a `reason` beside it is the filter if it is one of the
    reasons that letters have, else it says why.
    """
    if not isinstance(body, dict):
        raise wrong("body", type(body).__name__, "a JSON object")
    given = body.get("filter", {})
    if not isinstance(given, dict):
        raise wrong("filter", given, "an object")
    where = {f"filter.{name}": value for name, value in given.items()}
    where |= {name: value for name, value in body.items() if name in ("id", "aggregator", "topic")}
    why = body.get("reason", "")
    if not isinstance(why, str):
        raise wrong("reason", why, "text")
    if why in REASONS and "reason" not in given:
        where["reason"] = why
    found: dict[str, str] = {}
    for path, value in where.items():
        name = path.removeprefix("filter.")
        if name not in FILTERS:
            raise wrong(path, value, f"one of {', '.join(FILTERS)}")
        if not isinstance(value, str) or not value:
            raise wrong(path, value, "text")
        if name == "reason" and value not in REASONS:
            raise wrong(path, value, f"one of {', '.join(sorted(REASONS))}")
        found[name] = value
    unknown = body.keys() - {"filter", "reason", "dry_run", "id", "aggregator", "topic"}
    if unknown:
        name = min(unknown)
        raise wrong(name, body[name], "filter, id, aggregator, topic, reason or dry_run")
    dry_run = body.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise wrong("dry_run", dry_run, "true or false")
    return found, why, dry_run


def _with_query(request: web.Request, body: Any) -> Any:
    """The body with filters of the address, as lists have them, for those it doesn't have."""
    given = {name: request.query[name] for name in FILTERS if request.query.get(name)}
    if not given or not isinstance(body, dict) or not isinstance(body.get("filter", {}), dict):
        return body
    return {**body, "filter": {**given, **body.get("filter", {})}}


async def meant(request: web.Request, where: Mapping[str, str]) -> dict[str, str]:
    """The filters, for who asks: a letter of `config` is a document, which admins alone put in
    force. Raises ProblemError (403).
    """
    person = person_of(request)
    if person is None or person.role == "admin":
        return dict(where)
    letter = None
    if "id" in where:
        letter = await request.app[BACKEND].dead_letter(where["id"])
    if where.get("topic") == CONFIG or (letter is not None and letter.topic == CONFIG):
        detail = "A letter of topic config is a document: an admin puts it in force."
        raise ProblemError(403, "forbidden", detail)
    return {**where, "not_topic": CONFIG}


async def replay(request: web.Request) -> web.StreamResponse:
    """Replays the letters that match and were not replayed."""
    text = await request.read()
    try:
        body = loads(text) if text.strip() else {}
    except msgspec.DecodeError as error:
        raise wrong("body", str(error), "a JSON object") from error
    where, why, said = read(_with_query(request, body))
    dry_run = params.dry_run(request, said)
    wait_s = params.wait_s(request) if "wait" in request.query else WAIT_S
    backend = request.app[BACKEND]
    if "id" in where and await backend.dead_letter(where["id"]) is None:
        raise not_found(f"dead letter {where['id']!r}")
    where = await meant(request, where)
    change = Change(actor_of(request), why, params.idempotency_key(request))
    done = await backend.replay_dead_letters(where, change, dry_run, wait_s)
    return answer(shown(done), 202 if done.waiting else 200)


ROUTES = (
    Route(
        "POST",
        "/api/dead-letters/replay",
        replay,
        "Replays dead letters, each at most once",
        "Dead letters",
        {
            200: Answer("all of them are replayed or refused again; or what would be", ReplayOut),
            202: Answer("all of them are asked for, some have no answer yet", ReplayOut),
        },
        (
            Param("reason", "as in `filter`"),
            Param("aggregator", "as in `filter`"),
            Param("topic", "as in `filter`"),
            Param("id", "as in `filter`"),
            DRY_RUN,
            Param(
                "wait", "seconds to wait for the answers of the letters' sessions (10)", type=float
            ),
            IDEMPOTENCY_KEY,
        ),
        {
            JSON: "`filter`: an object with any of `id`, `reason`, `aggregator`, `topic` (all "
            "letters not yet replayed without one); `reason`: why, for the audit; `dry_run`: true "
            "changes nothing and says what would happen"
        },
        {
            404: "there is no letter of that id",
            422: "the body is not accepted; errors[] says where",
        },
    ),
)
