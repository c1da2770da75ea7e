"""Operators' commands on sessions over HTTP: flush, delete, set-timeout, erase."""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from aiohttp import web

from app.command_shapes import Commanded
from app.shapes import Change
from app.web import params
from app.web.api.aggregators import no_aggregator
from app.web.bodies import read_document
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import ProblemError, bad_parameter, not_found
from app.web.routes import DRY_RUN, IDEMPOTENCY_KEY, JSON, Answer, Param, Route, in_path
from app.web.wire import answer
from config.commands import ACTIONS
from config.documents.base import DocumentError, Problem, nearest
from config.topics import CONFIG
from domain.aggregation.command import Action

WAIT_S = 5.0  # longer takes one that looks through millions, or waits for a shard that moves
KEYS = ("group", "filter", "due", "reason", "dry_run")


class Counts(msgspec.Struct, omit_defaults=True):
    """Open sessions, and the records in them. Of an erasure besides: dead letters, and source
    records on inputs; absent where the stream can't erase those before their retention does."""

    sessions: int
    records: int
    dead_letters: int | msgspec.UnsetType = msgspec.UNSET
    source_records: int | msgspec.UnsetType = msgspec.UNSET


class CommandOut(msgspec.Struct):
    """A command and what it touched (with `dry_run`: would touch), in sessions.

    `complete` false: there are more, a dry run stopped counting or the command is still at work.
    """

    command_id: str | None
    action: str
    aggregator: str
    dry_run: bool
    state: Literal["done", "running"]
    touched: int
    counts: Counts
    complete: bool


class CommandStateOut(msgspec.Struct):
    """How far a command is; `result` once something has come of it, `because` when refused."""

    command_id: str
    state: Literal["done", "running", "refused"]
    result: CommandOut | None
    because: str | None = None


async def flush(request: web.Request) -> web.StreamResponse:
    """Flushes the sessions meant, now."""
    return await _act(request, "flush")


async def delete(request: web.Request) -> web.StreamResponse:
    """Deletes the sessions meant: they go to the audit and not to billing."""
    return await _act(request, "delete")


async def set_timeout(request: web.Request) -> web.StreamResponse:
    """Makes the sessions meant due at `due`."""
    return await _act(request, "set-timeout")


async def erase(request: web.Request) -> web.StreamResponse:
    """Takes an account out of sessions, dead letters and source records; counts stay."""
    return await _act(request, "erase")


async def _act(request: web.Request, action: Action) -> web.StreamResponse:
    name = request.match_info["name"]
    backend = request.app[BACKEND]
    try:
        asked, reason, said = body_of(await read_document(request))
        dry = params.dry_run(request, said)
        change = Change(actor_of(request), reason, params.idempotency_key(request))
        if dry:
            done = await backend.count_command(name, action, asked, change)
        else:
            done = await backend.give_command(name, action, asked, change, WAIT_S)
    except DocumentError as error:
        raise refused_command(error) from None
    if done is None:
        raise no_aggregator(name)
    if dry or done.done:
        return answer(shown(done))
    where = f"/api/aggregators/{quote(name, safe='')}/commands/{quote(done.id, safe='')}"
    if done.position is not None:
        where += "?at={}-{}".format(*done.position)
    return answer(shown(done), 202, {"Location": where})


def body_of(body: Mapping[str, Any]) -> tuple[dict[str, Any], str, bool]:
    """(group, filter and due as given, reason, dry run). Raises DocumentError."""
    problems = [
        Problem(key, body[key], f"a key that is {nearest(key, KEYS)}")
        for key in body
        if key not in KEYS
    ]
    dry, reason = body.get("dry_run", False), body.get("reason", "")
    if not isinstance(dry, bool):
        problems.append(Problem("dry_run", dry, "true or false"))
    if not isinstance(reason, str):
        problems.append(Problem("reason", reason, "text: why, for the audit"))
    if problems:
        raise DocumentError(problems)
    return {key: body[key] for key in ("group", "filter", "due") if key in body}, reason, dry


def refused_command(error: DocumentError) -> ProblemError:
    """422: a command with all that is wrong in it."""
    errors = [problem.as_json() for problem in error.problems]
    count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
    detail = f"The command has {count}; nothing was changed."
    return ProblemError(422, "refused-command", detail, errors)


async def get_command(request: web.Request) -> web.StreamResponse:
    """How far a command is."""
    name, command_id = request.match_info["name"], request.match_info["command"]
    at = position_of(request)
    found = await request.app[BACKEND].command(name, command_id)
    if found is not None:
        out = shown(found)
        return answer(CommandStateOut(command_id, out.state, out))
    if at is None:
        raise not_found(
            f"outcome of command {command_id!r} of aggregator {name!r}",
            "Nothing has come of it yet, or it is forgotten: topic aggregates.audit has it.",
        )
    because = await refusal(request, at, CONFIG, "refused_document")
    state: Literal["running", "refused"] = "running" if because is None else "refused"
    return answer(CommandStateOut(command_id, state, None, because))


def position_of(request: web.Request) -> tuple[int, int] | None:
    """`?at=` of a Location: partition and offset of the command on its topic."""
    text = request.query.get("at")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}-[0-9]{1,18}", text):
        raise bad_parameter("at", text, "PARTITION-OFFSET as in a Location")
    partition, offset = text.split("-")
    return int(partition), int(offset)


async def refusal(
    request: web.Request, at: tuple[int, int], topic: str, reason: str = ""
) -> str | None:
    """Why the command at that position became a dead letter, if it did lately."""
    where = {"topic": topic, **({"reason": reason} if reason else {})}
    page = await request.app[BACKEND].dead_letters(where, params.MAX_LIMIT, None)
    found = (each.detail for each in page.items if (each.partition, each.offset) == at)
    return next(found, None)


def shown(done: Commanded) -> CommandOut:
    """A command as the API prints it."""
    return CommandOut(
        done.id or None,
        done.action,
        done.aggregator,
        done.dry_run,
        "done" if done.done or done.dry_run else "running",
        done.sessions,
        Counts(done.sessions, done.records, _told(done.letters), _told(done.source_records)),
        done.done,
    )


def _told(count: int | None) -> int | msgspec.UnsetType:
    return msgspec.UNSET if count is None else count


_NAME = in_path("name", "the aggregator's name")
_DOES: Mapping[Action, str] = {
    "flush": "Flushes open sessions now",
    "delete": "Deletes open sessions, which go to the audit and not to billing",
    "set-timeout": "Sets when open sessions are due",
    "erase": "Erases what is kept of an account: sessions, dead letters, evidence; counts stay",
}
_HANDLERS = {"flush": flush, "delete": delete, "set-timeout": set_timeout, "erase": erase}
_BODY = (
    'which sessions: "group" (values by field) or "filter" (a condition on results, group fields '
    'and meta.count); "reason"; "dry_run" true only counts; with set-timeout "due", an instant'
)

ROUTES = (
    *(
        Route(
            "POST",
            f"/api/aggregators/{{name}}/sessions/{action}",
            _HANDLERS[action],
            _DOES[action],
            "Sessions",
            {
                200: Answer("it is carried out, or was counted", CommandOut),
                202: Answer("it is durable and at work; Location tells how far", CommandOut),
            },
            (_NAME, DRY_RUN, IDEMPOTENCY_KEY),
            {JSON: _BODY},
            {
                404: "there is no such aggregator",
                422: "no reason, or something else is wrong; errors[] says where",
            },
        )
        for action in ACTIONS
    ),
    Route(
        "GET",
        "/api/aggregators/{name}/commands/{command}",
        get_command,
        "Shows how far a command is",
        "Sessions",
        {200: Answer("the command", CommandStateOut)},
        (
            _NAME,
            in_path("command", "the command's id"),
            Param("at", "where its message is on topic config, as the Location says"),
        ),
        problems={404: "nothing has come of such a command yet, or it is forgotten"},
    ),
)
