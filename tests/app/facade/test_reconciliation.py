"""Complete periods, days that add up, and flushes that are sent again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.day_shapes import Day
from app.shapes import Change
from connectors.streams.memory import Killed
from tests.app.facade.house import HOUR_MS, ME, NAMES, House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]
DAILY = aggregator(
    group={"fields": ["account"], "periods": [{"field": "at", "period": "day"}]},
)
IN_DAY = "2023-11-14T22:30:00Z"  # the house begins at 22:13:20 of that day


def tell(tmp_path: Path, *stories: Story) -> House:
    """Each story on a worker of its own, begun on what the one before left."""
    house = House(tmp_path)

    async def work() -> None:
        for number, story in enumerate(stories):
            async with house.open(f"w-{number}") as living:
                await story(living)

    asyncio.run(work())
    return house


def audited(house: House, event: str) -> list[dict[str, Any]]:
    records = [
        json.loads(item[3] or b"")
        for (topic, _), rows in house.log.rows.items()
        if topic == "aggregates.audit"
        for item in rows
    ]
    return [record for record in records if record.get("event") == event]


def usage(account: str, number: int, at: str = IN_DAY) -> dict[str, Any]:
    return {"account": account, "bytes": number, "at": at}


async def reconciled(living: Living, signals: int) -> list[dict[str, Any]]:
    """Looks until there are so many signals, then once more."""

    async def look() -> bool:
        living.facade._completeness._wait.clear()  # as if it had waited
        await living.facade.reconcile()
        return len(audited(living.house, "period_complete")) >= signals

    for _ in range(200):
        if await look():
            break
        await living.work()
    await look()
    return audited(living.house, "period_complete")


async def after(living: Living, hours: float) -> None:
    """Time passes, and what is due then is flushed."""
    living.clock.advance(int(hours * HOUR_MS))
    await living.settled()
    await living.work()
    await living.work()


def test_a_period_is_told_complete_once_and_again_when_late_records_change_it(
    tmp_path: Path,
) -> None:
    async def story(living: Living) -> None:
        await living.put(DAILY)
        await living.send(usage("a", 1), usage("a", 2), usage("b", 4))
        await after(living, 0.5)
        assert await reconciled(living, 0) == []
        await after(living, 1)  # all flushed, and the day goes on
        assert await reconciled(living, 0) == []
        await after(living, 1)
        (signal,) = await reconciled(living, 1)
        assert signal["aggregator"] == "acc"
        assert signal["periods"]["at"]["label"] == "2023-11-14"
        assert (signal["revision"], signal["revises"]) == (1, None)
        assert signal["totals"]["flushes"] == {"TIMEOUT": 2}
        assert signal["totals"]["count"] == {"flushed": 3, "expired": 0, "deleted": 0}
        assert signal["totals"]["sums"] == {"sum_bytes": {"flushed": 7, "expired": 0, "deleted": 0}}

        await living.send(usage("a", 8))
        assert len(await reconciled(living, 1)) == 1  # it is open again
        await after(living, 1.1)
        first, second = await reconciled(living, 2)
        assert first == signal
        assert (second["revision"], second["revises"]) == (2, first["id"])
        assert second["totals"]["sums"]["sum_bytes"]["flushed"] == 15

    async def another(living: Living) -> None:
        """A console that begins with nothing reads all of it, and has no news."""
        await reconciled(living, 2)

    house = tell(tmp_path, story, another)
    assert len(audited(house, "period_complete")) == 2


def test_a_period_with_a_session_open_or_a_letter_waiting_is_not_complete(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(DAILY)
        await living.send(usage("a", 1))
        await after(living, 1.1)
        await living.send(usage("b", 1))
        await after(living, 0.8)  # the day is over; b is open for a while
        assert await reconciled(living, 0) == []
        await after(living, 0.5)
        assert len(await reconciled(living, 1)) == 1

    tell(tmp_path / "open", story)

    async def with_letter(living: Living) -> None:
        await living.put(DAILY)
        await living.send(usage("a", 1), {"account": "a", "bytes": "many", "at": IN_DAY})
        await after(living, 2)
        assert await reconciled(living, 0) == []

    tell(tmp_path / "letter", with_letter)


def test_a_flush_that_is_decided_and_not_yet_out_holds_its_period_back(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(DAILY)
        await living.send(usage("a", 1))
        shards = [one.shard for one in living.engine.shards.open_ones().values()]
        shards[0].numbered += 1  # as between the second and the third step of a commit
        living.paused = True
        living.clock.advance(2 * HOUR_MS)
        await living.work()
        shards[0].marks.sent = shards[0].numbered - 1
        assert await reconciled(living, 0) == []
        shards[0].marks.sent = shards[0].numbered
        assert len(await reconciled(living, 1)) == 1

    tell(tmp_path, story)


def test_a_record_that_waits_on_the_input_holds_its_period_back(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(DAILY)
        await living.send(usage("a", 1))
        await after(living, 1.1)
        living.paused = True
        late = json.dumps(usage("b", 2)).encode()
        await living.facade.append_records("usage", [(None, late, None, ())], None)
        living.clock.advance(HOUR_MS)
        await living.engine.tick()  # time goes on, nothing is read
        assert await _looked(living) == []
        living.paused = False
        await after(living, 0)
        (signal,) = await reconciled(living, 1)
        assert signal["totals"]["count"]["flushed"] == 2

    tell(tmp_path, story)


async def _looked(living: Living) -> list[dict[str, Any]]:
    living.facade._completeness._wait.clear()
    await living.facade.reconcile()
    return audited(living.house, "period_complete")


@pytest.mark.parametrize("left", [0, 1])
def test_a_console_killed_when_it_signals_signals_once(tmp_path: Path, left: int) -> None:
    """Killed before the append, or behind it and before it knows."""

    async def killed(living: Living) -> None:
        task = living.facade._task  # its looks would come in between
        assert task is not None
        task.cancel()
        await living.put(DAILY)
        await living.send(usage("a", 1))
        await after(living, 2)
        ledger = living.facade._ledger
        if left == 0:
            living.log.survives = lambda topic, n: 0 if topic == "aggregates.audit" else n
        else:

            async def dead(*_: Any) -> None:
                raise ConnectionError("killed")

            ledger.settle = dead  # type: ignore[method-assign, assignment]
        await living.facade._ledger.catch_up()
        with pytest.raises((Killed, ConnectionError)):
            await living.facade._completeness.look()
        living.log.survives = lambda _, n: n

    async def another(living: Living) -> None:
        await reconciled(living, 1)

    house = tell(tmp_path, killed, another)
    (signal,) = audited(house, "period_complete")
    assert signal["totals"]["count"]["flushed"] == 1


async def day(living: Living, label: str) -> tuple[Day, dict[str, Any]]:
    found = await living.facade.day_totals(label, None)
    assert found.balanced
    return found, {item.aggregator: item for item in found.items}


def test_days_add_up_to_the_control_totals(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send({"account": "a", "bytes": 1}, {"account": "b", "bytes": 2}, {})
        await living.facade.reconcile()
        await after(living, 1.5)  # both flushed at 23:13
        await living.send({"account": "a", "bytes": 4})
        await after(living, 0.4)  # the next day, a open
        await living.facade.reconcile()
        await living.send({"account": "a", "bytes": 8}, {"account": "c", "bytes": 16})
        await after(living, 0.7)
        await living.facade.reconcile()

        _, first = await day(living, "2023-11-14")
        assert dict(first["acc"].count) == {
            "opening": 0, "in": 4, "flushed": 2, "duplicates": 0, "rejected": 1, "expired": 0,
            "deleted": 0, "open": 1,
        }  # fmt: skip
        assert first["acc"].sums["sum_bytes"]["flushed"] == 3
        assert [(f.type, f.flushes, f.records) for f in first["acc"].flushes] == [("TIMEOUT", 2, 2)]
        _, second = await day(living, "2023-11-15")
        assert dict(second["acc"].count) == {
            "opening": 1, "in": 2, "flushed": 2, "duplicates": 0, "rejected": 0, "expired": 0,
            "deleted": 0, "open": 1,
        }  # fmt: skip
        assert second["acc"].sums["sum_bytes"] == {
            "opening": 4, "in": 24, "flushed": 12, "expired": 0, "deleted": 0, "open": 16,
        }  # fmt: skip
        found, before = await day(living, "2023-11-13")
        assert before == {}
        assert found.from_ms == found.to_ms

    tell(tmp_path, story)


def test_a_flush_is_sent_again_byte_for_byte_and_counted_once(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send({"account": "a", "bytes": 1})
        await after(living, 1.1)
        flush = json.loads(_flushes(living)[0])
        change = Change("ada", "billing lost it", "key-1")
        first = await living.facade.resend_flush(flush["id"], change)
        again = await living.facade.resend_flush(flush["id"], change)
        assert first is not None and again is not None
        assert (first.repeated, again.repeated) == (False, True)
        assert await living.facade.resend_flush("unknown", ME) is None
        copies = _flushes(living)
        assert len(copies) == 2
        assert copies[0] == copies[1]
        await living.facade.resend_flush(flush["id"], ME)
        assert len(set(_flushes(living))) == 1
        _, by_name = await day(living, "2023-11-14")
        assert [(f.flushes, f.records) for f in by_name["acc"].flushes] == [(1, 1)]

    house = tell(tmp_path, story)
    told, _ = audited(house, "flush_resent")
    assert (told["actor"], told["reason"]) == ("ada", "billing lost it")


def _flushes(living: Living) -> list[bytes]:
    topic = NAMES.topic("aggregates")
    return [
        item[3] or b""
        for (name, _), rows in living.log.rows.items()
        if name == topic
        for item in rows
    ]
