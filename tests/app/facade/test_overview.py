"""The figures of the Overview, the metrics, and what someone must act on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.facade import troubles
from app.facade.figures import next_dues, overdue
from app.facade.sampler import Sampler
from app.shapes import Overview
from app.web.metrics import exposition
from connectors.streams.base import TopicDescription
from tests.app.facade.house import HOUR_MS, NAMES, House, Living, aggregator
from tests.app.facade.test_appends import beat
from tests.waiting import auntil

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            await living.put(aggregator())
            await story(living)

    asyncio.run(work())


async def codes(living: Living) -> list[str]:
    return [trouble.code for trouble in (await living.facade.overview()).troubles]


def test_open_sessions_next_due_and_overdue_are_counted_without_looking_at_all(
    tmp_path: Path,
) -> None:
    async def story(living: Living) -> None:
        await living.send(*({"account": f"a{n}", "bytes": n} for n in range(5)))
        found = await living.facade.overview()
        assert (found.open_sessions, found.overdue) == (5, 0)
        assert found.next_due_ms == living.clock.now_ms() + HOUR_MS
        (summary,) = found.aggregators
        assert (summary.name, summary.open_sessions, summary.balanced) == ("acc", 5, True)
        assert (summary.next_due_ms, summary.example) == (found.next_due_ms, False)
        living.paused = True
        living.clock.advance(HOUR_MS + 2_000)
        assert (await living.facade.overview()).overdue == 5
        await living.work()
        found = await living.facade.overview()
        assert (found.open_sessions, found.overdue, found.next_due_ms) == (0, 0, None)

    tell(tmp_path, story)


def test_open_sessions_are_counted_anew_by_whoever_recovers_them(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def fill() -> None:
        async with house.open() as living:
            await living.put(aggregator())
            await living.send(*({"account": f"a{n}", "bytes": n} for n in range(5)))

    async def look() -> int:
        async with house.open("w-2") as living:
            return (await living.facade.overview()).open_sessions

    asyncio.run(fill())
    assert asyncio.run(look()) == 5


def test_a_backlog_is_told_in_records_and_in_time(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.paused = True
        rows = [(None, b'{"account": "x"}', None, ()) for _ in range(6)]
        await living.facade.append_records("usage", rows, None)
        living.clock.advance(90_000)
        await living.facade._sampler.look()
        found = await living.facade.overview()
        assert (found.lag_records, found.lag_s, found.behind) == (6, 90.0, 2)
        assert found.partitions == 4
        living.paused = False
        await living.settled()
        await living.facade._sampler.look()
        found = await living.facade.overview()
        assert (found.lag_records, found.lag_s, found.behind) == (0, 0.0, 0)

    tell(tmp_path, story)


def test_partitions_that_nobody_tells_of_lag_by_what_was_committed(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.paused = True
        await living.engine.assign(set())
        await living.log.append("usage", 1, [(None, b"{}", None, ())] * 3)
        await living.facade._sampler.look()
        assert (await living.facade.overview()).lag_records == 3

    tell(tmp_path, story)


def test_rates_are_of_real_seconds(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        now = [100.0]
        sampler = Sampler(living.parts, living._crash, lambda: now[0])
        await sampler.look()
        assert sampler.rates() == (0.0, 0.0, {})
        await living.send(*({"account": f"a{n}", "bytes": n} for n in range(8)))
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        now[0] += 4.0
        await sampler.look()
        assert sampler.rates() == (2.0, 2.0, {"acc": 2.0})
        for _ in range(12):
            now[0] += 1.0
            await sampler.look()
        assert sampler.rates() == (0.0, 0.0, {"acc": 0.0})

    tell(tmp_path, story)


def test_a_growing_backlog_has_a_trend_and_a_shrinking_one_drains(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.paused = True
        now = [100.0]
        sampler = Sampler(living.parts, living._crash, lambda: now[0])
        await sampler.look()
        await living.log.append("usage", 0, [(None, b"{}", None, ())] * 20)
        now[0] += 10.0
        await sampler.look()
        assert sampler.trend() == 2.0
        living.paused = False
        await living.settled()
        now[0] += 10.0
        await sampler.look()
        assert sampler.trend() == 0.0

    tell(tmp_path, story)


def test_an_idle_system_has_no_troubles(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.send({"account": "x"})
        assert await codes(living) == []

    tell(tmp_path, story)


def test_dead_letters_are_a_trouble_for_a_day(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.send(b"?")
        found = await living.facade.overview()
        (trouble,) = found.troubles
        assert (trouble.code, trouble.since_ms) == ("dead-letters", living.clock.now_ms())
        assert (trouble.link, found.dead_letters) == ("/dead-letters", 1)
        living.clock.advance(25 * HOUR_MS)
        assert await codes(living) == []

    tell(tmp_path, story)


def test_a_worker_that_is_gone_or_silent_is_a_trouble(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.crowd.lost = [(beat("w-3"), 40.0)]
        living.crowd.others = [beat("w-2")]  # nobody answers at its address
        found = await living.facade.overview()
        assert [trouble.code for trouble in found.troubles] == ["worker-gone", "worker-silent"]
        assert found.troubles[0].since_ms == found.now_ms - 40_000
        states = {worker.id: worker.state for worker in await living.facade.workers()}
        assert states == {"w-1": "ready", "w-2": "ready", "w-3": "gone"}

    tell(tmp_path, story)


def test_a_shard_that_stays_unopened_is_a_trouble_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        living.paused = True
        await living.engine.shards.assign({0})
        assert await codes(living) == []
        monkeypatch.setattr(troubles, "NOT_READY_S", 0.0)
        found = await living.facade.overview()
        assert [trouble.code for trouble in found.troubles] == ["shards-not-ready"]
        assert found.troubles[0].what.startswith("Partition 1 ")

    tell(tmp_path, story)


def test_totals_that_do_not_balance_are_the_first_trouble(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.send({"account": "x"}, b"?")
        (processor, *_) = living.engine.shards.open_ones().values()
        processor.shard.totals.setdefault("acc", _totals()).add("in", 1)
        found = await living.facade.overview()
        assert [trouble.code for trouble in found.troubles] == ["totals-unbalanced", "dead-letters"]
        assert not found.aggregators[0].balanced

    tell(tmp_path, story)


def _totals() -> Any:
    from domain.aggregation.totals import Totals

    return Totals()


def test_a_topic_on_the_producers_clock_is_a_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        async def describe(topic: str) -> TopicDescription:
            kind = "CreateTime" if topic == "usage" else "LogAppendTime"
            return TopicDescription(topic, 2, {"message.timestamp.type": kind})

        monkeypatch.setattr(living.log, "describe_topic", describe)
        living.facade._figured._troubles._topics_at_s = float("-inf")
        found: Overview = await living.facade.overview()
        (timestamps,) = [t for t in found.troubles if "timestamp" in t.what]
        assert (timestamps.code, "usage" in timestamps.what) == ("topic-settings", True)

    tell(tmp_path, story)


def test_a_trial_clock_is_told(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.clock.is_trial = True
        assert await codes(living) == ["trial-clock"]
        clock = await living.facade.clock_info()
        assert (clock.trial, clock.speed, clock.now_ms) == (True, 0.0, living.clock.now_ms())

    tell(tmp_path, story)


def test_only_a_worker_that_can_serve_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        assert (await living.facade.ready()).ready
        own = living.beat()
        opening = replace_beat(own, state="recovering", detail="State is being recovered.")
        monkeypatch.setattr(living.crowd, "own", lambda: opening)
        found = await living.facade.ready()
        assert (found.ready, list(found.reasons)) == (False, ["State is being recovered."])
        monkeypatch.undo()
        sampler = living.facade._sampler
        assert sampler.answered_s is not None
        await sampler.stop()
        monkeypatch.setattr(sampler, "answered_s", sampler.answered_s - 6.0)
        found = await living.facade.ready()
        assert (found.ready, list(found.reasons)) == (
            False, ["The stream has not answered for 6 s."],
        )  # fmt: skip

    tell(tmp_path, story)


def replace_beat(own: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(own, **changes)


def test_metrics_are_known_ones_and_count_what_happened(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.send({"account": "x", "bytes": 5}, {"account": "y"}, b"?", {"no": 1})
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        await living.send({"account": "x", "bytes": 1})
        await living.facade._sampler.look()
        text = exposition(await living.facade.metrics())
        for line in (
            'sluice_records_in_total{topic="usage"} 5',
            'sluice_unmatched_records_total{topic="usage"} 0',
            'sluice_dead_letters_total{aggregator="",reason="undecodable"} 1',
            'sluice_dead_letters_total{aggregator="acc",reason="missing_group_field"} 1',
            'sluice_records_out_total{topic="aggregates"} 2',
            'sluice_flushes_total{aggregator="acc",flush_type="TIMEOUT"} 2',
            'sluice_open_sessions{aggregator="acc"} 1',
            'sluice_control_count{aggregator="acc",part="in"} 4',
            'sluice_control_count{aggregator="acc",part="rejected"} 1',
            'sluice_control_sum{aggregator="acc",result="sum_bytes",part="flushed"} 5',
            'sluice_control_balanced{aggregator="acc"} 1',
            'sluice_document_version{kind="aggregator",name="acc"} 1',
            'sluice_workers{state="ready"} 1',
            'sluice_outbox_records{shard="0"} 0',
            'sluice_lag_records{topic="usage",partition="0"} 0',
        ):
            assert line in text.splitlines()
        assert 'sluice_batches_total{shard="0"} ' in text

    tell(tmp_path, story)


def test_metrics_tell_how_much_of_a_shard_is_still_to_be_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await living.send(*({"account": f"a{n}"} for n in range(9)))
        living.paused = True
        gate, read = asyncio.Event(), living.log.read

        async def held(topic: str, *place: Any, **options: Any) -> Any:
            if topic == NAMES.changelog("sessions"):
                await gate.wait()
            return await read(topic, *place, **options)

        monkeypatch.setattr(living.log, "read", held)
        await living.engine.shards.assign(set())
        await living.engine.shards.assign({0})
        await auntil(lambda: 0 in living.engine.opening)
        length = len(living.log.rows[NAMES.changelog("sessions"), 0])
        text = exposition(await living.facade.metrics())
        assert f'sluice_recovery_records_left{{shard="0"}} {length}' in text
        gate.set()
        await auntil(lambda: not living.engine.opening)
        assert "recovery_records_left{" not in exposition(await living.facade.metrics())

    tell(tmp_path, story)


def test_records_that_match_no_aggregator_are_counted(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator(filter={"field": "type", "op": "==", "value": "data"}))
        await living.send({"account": "x"}, {"account": "x", "type": "data"})
        text = exposition(await living.facade.metrics())
        assert 'sluice_unmatched_records_total{topic="usage"} 1' in text

    tell(tmp_path, story)


def test_the_due_index_alone_tells_what_is_next(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.send({"account": "x"})
        stores = [one.shard.store for one in living.engine.shards.open_ones().values()]
        due = living.clock.now_ms() + HOUR_MS
        assert sorted(map(str, map(next_dues, stores))) == sorted([str({"acc": due}), "{}"])
        late = [overdue(store, due + 1_001) for store in stores]
        assert sorted(late) == [0, 1]
        assert [overdue(store, due + 999) for store in stores] == [0, 0]

    tell(tmp_path, story)


def test_points_of_the_chart_lie_in_the_past_of_the_products_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        sampler = living.facade._sampler
        now = [1_000_000.0]
        monkeypatch.setattr("app.facade.sampler.time.time", lambda: now[0])
        sampler._points.clear()
        await living.send(*({"account": f"a{n}"} for n in range(10)))
        await sampler.look()
        now[0] += 7.0
        monkeypatch.setattr("app.facade.overview.time.time", lambda: now[0])
        (point,) = (await living.facade.overview()).rates
        assert point.rate_in == 2.0
        assert point.at_ms == living.clock.now_ms() - 2_000

    tell(tmp_path, story)


def test_a_change_of_the_trouble_keeps_its_beginning(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.clock.is_trial = True
        (first,) = (await living.facade.overview()).troubles
        living.clock.advance(5_000)
        (second,) = (await living.facade.overview()).troubles
        assert second == replace(first)
        living.clock.is_trial = False
        assert await codes(living) == []
        living.clock.is_trial = True
        (third,) = (await living.facade.overview()).troubles
        assert third.since_ms == living.clock.now_ms()

    tell(tmp_path, story)
