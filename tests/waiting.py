"""Waiting in tests: for an effect that can be seen, never for time to pass."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0  # only what fails waits so long; a machine may do ten other things

_PAUSE_S = 0.01  # between two looks: short beside what is waited for, long beside a look
_event = threading.Event()  # never set: waiting on it is the pause


class NeverHappened(AssertionError):
    """What a test waited for did not come in time; `last` is what was seen last."""

    def __init__(self, what: str, timeout_s: float, last: object) -> None:
        self.last = last
        super().__init__(f"{what} was not so within {timeout_s:g} s; last seen: {last!r}")


def until(look: Callable[[], T], timeout_s: float = PATIENCE_S, what: str = "") -> T:
    """Calls `look` until what it returns is true, and returns that.

    Raises NeverHappened after `timeout_s`. An AssertionError of `look` counts as "not yet", so
    that it may be written with asserts; the last one is the cause of NeverHappened.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        last, error = _seen(look)
        if error is None and last:
            return last
        if time.monotonic() >= end_s:
            raise NeverHappened(what or _named(look), timeout_s, last) from error
        _event.wait(_PAUSE_S)


async def auntil(
    look: Callable[[], Awaitable[T] | T], timeout_s: float = PATIENCE_S, what: str = ""
) -> T:
    """`until` for a coroutine function or a plain one, letting the loop run in between."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while True:
        last: object = None
        error: AssertionError | None = None
        try:
            found = look()
            value: T = await found if isinstance(found, Awaitable) else found
            if value:
                return value
            last = value
        except AssertionError as caught:
            error = caught
        if loop.time() >= end_s:
            raise NeverHappened(what or _named(look), timeout_s, last) from error
        await _pause(loop)


async def _pause(loop: asyncio.AbstractEventLoop) -> None:
    woken = loop.create_future()
    timer = loop.call_later(_PAUSE_S, woken.set_result, None)
    try:
        await woken
    finally:
        timer.cancel()


def _seen(look: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return look(), None
    except AssertionError as caught:
        return None, caught


def _named(look: Callable[..., object]) -> str:
    return getattr(look, "__qualname__", repr(look))
