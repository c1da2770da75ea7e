"""The stream as commands use it: opened for one task, errors with what to do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.cli.command import Context
from connectors.streams import open_log
from connectors.streams.base import Log, StreamUnavailable
from domain.errors import Unreachable

T = TypeVar("T")
START_S = 15.0  # brokers that do not answer within this time are taken for unreachable


def on_stream(context: Context, task: Callable[[Log], Awaitable[T]]) -> T:
    """Runs `task` with the open stream. Raises Unreachable, DirectoryLocked."""
    if not context.flags.debug:  # it logs each attempt; what counts is in the error
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return asyncio.run(_run(context, task))


async def _run(context: Context, task: Callable[[Log], Awaitable[T]]) -> T:
    stream = context.settings.stream
    log = open_log(context.settings, context.clock)
    try:
        async with asyncio.timeout(START_S):
            await log.start()
    except StreamUnavailable as error:
        raise _unreachable(stream, error.detail, error.remedy) from error
    except TimeoutError as error:
        detail = f"no answer within {START_S:g} s"
        raise _unreachable(
            stream, detail, "check SLUICE_STREAM and that its brokers run"
        ) from error
    try:
        return await task(log)
    except StreamUnavailable as error:
        raise _unreachable(stream, error.detail, error.remedy) from error
    finally:
        await log.stop()


def _unreachable(stream: str, detail: str, remedy: str) -> Unreachable:
    return Unreachable(f"stream {stream}", detail, remedy)
