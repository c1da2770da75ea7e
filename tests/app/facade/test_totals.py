"""Control totals: the shards' and what was refused before it reached one."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from tests.app.facade.house import HOUR_MS, House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            await story(living)

    asyncio.run(work())


def test_records_refused_on_the_way_count_as_in_and_rejected(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send({"account": "x", "bytes": 2}, {"account": "x", "bytes": "many"}, {}, b"?")
        assert await living.totals() == {"in": 3, "open": 1, "rejected": 2}
        await living.send({}, {}, {"account": "y"})
        assert await living.totals() == {"in": 6, "open": 2, "rejected": 4}

    tell(tmp_path, story)


def test_an_aggregator_without_records_has_totals_of_nothing(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        (found,) = await living.facade.totals(None)
        assert set(found.count.values()) == {0}
        assert found.sums == {
            "sum_bytes": {"in": 0, "open": 0, "flushed": 0, "expired": 0, "deleted": 0}
        }
        assert await living.facade.totals("other") == []

    tell(tmp_path, story)


def test_sums_go_under_the_name_they_are_printed_as(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        operations = [{"field": "bytes", "operation": "sum", "as": "volume"}]
        await living.put(aggregator(aggregate=operations))
        await living.send({"account": "x", "bytes": 1}, {"account": "y"})
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        await living.send(b'{"account": "x", "bytes": 0.5}')
        (found,) = await living.facade.totals("acc")
        assert found.balanced
        assert found.sums["volume"] == {
            "in": Decimal("1.5"), "open": Decimal("0.5"), "flushed": 1, "expired": 0, "deleted": 0,
        }  # fmt: skip

    tell(tmp_path, story)


def test_what_was_refused_is_known_to_the_next_worker_before_it_has_a_batch(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            await living.put(aggregator())
            await living.send({"account": "x", "bytes": "many"}, {"account": "x", "bytes": 1})
        async with house.open("w-2") as living:
            living.paused = True
            assert await living.totals() == {"in": 2, "open": 1, "rejected": 1}

    asyncio.run(work())


def test_a_field_summed_under_two_names_stays_balanced_and_counted_once(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        operations = [
            {"field": "bytes", "operation": "sum"},
            {"field": "bytes", "operation": "sum", "as": "volume"},
        ]
        await living.put(aggregator(aggregate=operations))
        await living.send({"account": "x", "bytes": 3})
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        (found,) = await living.facade.totals("acc")
        assert found.sums["sum_bytes"]["flushed"] == found.sums["sum_bytes"]["in"] == 3
        assert found.sums["sum_bytes"]["open"] == 0

    tell(tmp_path, story)
