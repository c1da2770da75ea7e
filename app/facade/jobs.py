"""Jobs of whichever worker has something open: asked for, and waited for."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.owners import LOOK_S, MOVING_S
from app.facade.parts import Parts

PIECE_S = 2.0  # that one question to another worker waits


async def begun(
    parts: Parts, peers: Peers, question: str, asked: Mapping[str, Any], away: tuple[str, str]
) -> dict[str, Any]:
    """What the worker answers that has it open. Raises Unavailable(*away) when none has it soon."""
    deadline = parts.monotonic_s() + MOVING_S
    while True:
        for answer in (await peers.ask(question, dict(asked))).values():
            told: dict[str, Any] = answer
            return told
        if parts.monotonic_s() >= deadline:
            raise Unavailable(*away)
        await asyncio.sleep(LOOK_S)


async def ended(
    parts: Parts,
    peers: Peers,
    question: str,
    asked: Mapping[str, Any],
    wait_s: float,
    is_over: Callable[[dict[str, Any]], bool],
) -> dict[str, Any] | None:
    """How a job stands when it is over, or after so many seconds; None for one nobody knows.

    Who is asked answers by `wait_s` of the question (see `known`).
    """
    deadline = parts.monotonic_s() + wait_s
    while True:
        left = max(0.0, deadline - parts.monotonic_s())
        answers = await peers.ask(question, {**asked, "wait_s": min(left, PIECE_S)})
        told: dict[str, Any] | None = next(iter(answers.values()), None)
        if told is None or is_over(told) or left <= 0:
            return told


async def known(done: asyncio.Event, wait_s: float) -> None:
    """Returns when it is done, or after so many seconds."""
    try:
        async with asyncio.timeout(wait_s):
            await done.wait()
    except TimeoutError:
        pass  # it tells how it is now
