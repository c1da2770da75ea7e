"""Ending tasks: one wording for what every part that runs some has to do when it stops."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

logger = logging.getLogger(__name__)
# Long enough to close connections; a task that still runs then has probably not heard.
AGAIN_S: Final = 10.0
FINISH_S: Final = 2.0  # supervisors commonly kill after ten

T = TypeVar("T")


async def end(*tasks: "asyncio.Task[Any]", again_s: float = AGAIN_S) -> None:
    """Cancels the tasks and returns when none runs any more; what they raise stays in them.

    It asks again every `again_s` seconds: libraries that we use (pymongo) wait by
    `asyncio.wait_for`, which up to Python 3.11 can lose a cancellation (python/cpython#86296).
    """
    for task in tasks:
        if not task.cancelling():
            task.cancel()
    running = {task for task in tasks if not task.done()}
    while running:
        _, running = await asyncio.wait(running, timeout=again_s)
        for task in running:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def finished(work: Coroutine[Any, Any, T], within_s: float = FINISH_S) -> T:
    """Does the work. Whoever is cancelled meanwhile is so when it is done, or after that time, when
    it is cut off. Without a loop nobody can be, as in a batch, whose work never waits.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await work
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(asyncio.CancelledError):
            await asyncio.wait((task,), timeout=within_s)
        while not task.done():
            with suppress(asyncio.CancelledError):
                await end(task)
        if not task.cancelled() and task.exception() is not None:
            logger.warning("what was under way at the end failed: %s", task.exception())
        raise
