"""Tasks are ended, also those that did not hear it the first time."""

import asyncio

import pytest

from agents.ending import end, finished


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


@pytest.mark.parametrize("within_s", [20, 0.01])
def test_who_is_cancelled_meanwhile_waits_for_the_end_of_the_work_but_not_for_ever(
    within_s: float,
) -> None:
    done: list[str] = []

    async def story() -> None:
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await may_end.wait()
                done.append("all")
            except asyncio.CancelledError:
                done.append("cut off")
                raise

        task = asyncio.ensure_future(finished(work(), within_s))
        await begun.wait()
        task.cancel()
        if within_s > 1:
            await asyncio.wait([task], timeout=0)
            assert not task.done()
            may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert done == ["all" if within_s > 1 else "cut off"]


def test_what_is_finished_gives_its_result_or_raises() -> None:
    async def gives() -> int:
        return 5

    async def fails() -> int:
        raise ValueError("broken")

    assert asyncio.run(finished(gives())) == 5
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(finished(fails()))
