"""Growing the partitions of sessions and inputs over HTTP."""

from typing import Literal

import msgspec
from aiohttp import web

from app.growth_shapes import GrowthInfo, GrowthRefused
from app.shapes import Change
from app.web.bodies import read_document
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import ProblemError
from app.web.routes import JSON, Answer, Route
from app.web.wire import answer
from domain.aggregation.instants import print_instant


class GrowthOut(msgspec.Struct):
    """A growth. While it is `moving` sessions change shards and commands are refused; while it is
    `crossing` inputs come to be routed by the new number; `waits_for` says what it waits for.
    """

    before: int
    after: int
    state: Literal["asked", "moving", "crossing", "finished"]
    inputs: list[str]
    waits_for: list[str]
    at: str
    reason: str


class GrowthsOut(msgspec.Struct):
    """All growths, the newest first."""

    items: list[GrowthOut]
    next: str | None = None


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    partitions: int
    reason: str
    inputs: list[str] | None = None


async def list_growths(request: web.Request) -> web.StreamResponse:
    """How far growths are."""
    return answer(GrowthsOut([_shown(each) for each in await request.app[BACKEND].growths()]))


async def grow(request: web.Request) -> web.StreamResponse:
    """Gives sessions more partitions."""
    try:
        asked = msgspec.convert(await read_document(request), _Asked)
    except msgspec.ValidationError as error:
        raise _refused(f"the body: {error}") from None
    if not asked.reason.strip():
        raise _refused("reason: '' is not accepted, expected text: why, for the record")
    change = Change(actor_of(request), asked.reason)
    try:
        made = await request.app[BACKEND].grow(asked.partitions, asked.inputs, change)
    except GrowthRefused as refused:
        raise _refused(refused.detail) from None
    return answer(_shown(made), 202)


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "refused-growth", detail)


def _shown(growth: GrowthInfo) -> GrowthOut:
    return GrowthOut(
        growth.before, growth.after, growth.state, list(growth.inputs), list(growth.waits_for),
        print_instant(growth.at_ms), growth.reason,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET",
        "/api/topics/growths",
        list_growths,
        "Lists growths of partitions and how far they are",
        "Topics",
        {200: Answer("the growths", GrowthsOut)},
    ),
    Route(
        "POST",
        "/api/topics/growths",
        grow,
        "Gives sessions (and inputs) more partitions, while records pour in",
        "Topics",
        {202: Answer("the growth: it goes on by itself", GrowthOut)},
        body={
            JSON: "`partitions`: the new number; `reason`; `inputs`: topics that get as many, left "
            "out: those in use that have as many as sessions have now"
        },
        problems={422: "`refused-growth`: not more than there are, or another one is under way"},
    ),
)
