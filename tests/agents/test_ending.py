"""Tasks are ended, also those that did not hear it the first time."""

import asyncio

import pytest

from agents.ending import end


def test_all_of_them_have_ended_and_what_they_raised_stays_in_them() -> None:
    async def story() -> None:
        async def fails() -> None:
            raise ValueError("broken")

        tasks = [asyncio.ensure_future(asyncio.Event().wait()), asyncio.ensure_future(fails())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await end(*tasks)
        assert tasks[0].cancelled()
        with pytest.raises(ValueError, match="broken"):
            await tasks[1]

    asyncio.run(story())


def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    lost: list[str] = []

    async def story() -> None:
        async def deaf() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost.append("once")
            await asyncio.Event().wait()

        task = asyncio.ensure_future(deaf())
        await asyncio.wait([task], timeout=0)
        async with asyncio.timeout(20):
            await end(task, again_s=0.01)
        assert task.cancelled()

    asyncio.run(story())
    assert lost == ["once"]


def test_one_that_cleans_up_after_it_was_told_is_not_told_twice() -> None:
    cleaned: list[str] = []

    async def story() -> None:
        open_still = asyncio.Event()

        async def tidy() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await open_still.wait()
                cleaned.append("all")

        task = asyncio.ensure_future(tidy())
        await asyncio.wait([task], timeout=0)
        task.cancel()
        await asyncio.wait([task], timeout=0)
        asyncio.get_running_loop().call_soon(open_still.set)
        await end(task)

    asyncio.run(story())
    assert cleaned == ["all"]
