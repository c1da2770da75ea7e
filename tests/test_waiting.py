"""The poll helpers: they return what was waited for, and say what was seen instead."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.waiting import NeverHappened, auntil, until


def counting() -> Iterator[int]:
    yield from range(1000)


def test_until_returns_the_first_true_value() -> None:
    numbers = counting()
    assert until(lambda: next(numbers), 5) == 1


def test_until_tells_what_was_seen_last() -> None:
    with pytest.raises(NeverHappened, match=r"the answer was not so within 0 s; last seen: \[\]"):
        until(list, 0, "the answer")


def test_a_failed_assert_counts_as_not_yet() -> None:
    numbers = counting()

    def third() -> bool:
        assert next(numbers) == 3
        return True

    assert until(third, 5)


def test_other_errors_are_not_waited_out() -> None:
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 // 0, 5)


def test_auntil_takes_plain_functions_and_coroutines_and_lets_the_loop_run() -> None:
    async def scene() -> tuple[bool, str]:
        done = asyncio.Event()
        asyncio.get_running_loop().call_soon(done.set)

        async def name() -> str:
            return "it"

        return await auntil(done.is_set, 5), await auntil(name, 5)

    assert asyncio.run(scene()) == (True, "it")


def test_auntil_gives_up() -> None:
    async def scene() -> None:
        await auntil(lambda: None, 0)

    with pytest.raises(NeverHappened):
        asyncio.run(scene())
