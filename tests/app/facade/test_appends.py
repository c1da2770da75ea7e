"""Appending records over HTTP: spread, keyed, and with an Idempotency-Key exactly once."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from app.backend import IdempotencyConflict, Unavailable
from app.cluster.beat import Beat
from app.facade import appends
from app.facade.appends import spread
from app.facade.requests import DAY_MS, SCHEMA, Begin, Done, Request, apply, encode, find
from app.shapes import Appended, Idempotency
from connectors.streams.base import Row, UnknownTopic
from connectors.streams.memory import Killed
from connectors.streams.murmur2 import partition_for
from tests.app.facade.house import NAMES, START_MS, House, Living
from tests.waiting import auntil

ROWS: list[Row] = [(None, f"{n}".encode(), None, ()) for n in range(7)]
ASKED = Idempotency("key-1", "f")


def values(house: House, topic: str = "usage") -> list[str]:
    """What is on the topic, sorted."""
    rows = [row for tp, held in house.log.rows.items() if tp[0] == topic for row in held]
    return sorted((row[3] or b"").decode() for row in rows)


async def append(living: Living, asked: Idempotency | None = ASKED) -> Appended:
    return await living.facade.append_records("usage", ROWS, asked)


def test_keyless_rows_are_spread_and_keyed_ones_go_where_kafka_puts_them(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path, partitions=3)
        async with house.open() as living:
            await append(living, None)
            sizes = [len(house.log.rows["usage", p]) for p in range(3)]
            assert sorted(sizes) == [2, 2, 3]
            await living.facade.append_records("usage", [(b"k", b"v", 5, (("h", b"1"),))], None)
            held = house.log.rows["usage", partition_for(b"k", 3)]
            assert held[-1][1:] == (5, b"k", b"v", (("h", b"1"),))

    asyncio.run(work())


def test_one_after_the_other_keyless_rows_take_turns() -> None:
    row: Row = (None, b"", None, ())
    assert [spread([row], 3, turn)[0] for turn in range(4)] == [0, 1, 2, 0]


def test_unknown_and_internal_topics_are_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            for topic in ("nowhere", NAMES.sessions_in, NAMES.requests):
                with pytest.raises(UnknownTopic):
                    await living.facade.append_records(topic, ROWS, None)

    asyncio.run(work())


def test_the_same_request_again_appends_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            assert await append(living) == Appended(7)
            assert await append(living) == Appended(7, repeated=True)
            both = await asyncio.gather(*(append(living, Idempotency("k2", "f")) for _ in "ab"))
            assert sorted(one.repeated for one in both) == [False, True]
        assert len(values(house)) == 14

    asyncio.run(work())


def test_another_request_with_the_key_is_refused_until_its_day_is_over(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            await append(living)
            living.clock.advance(DAY_MS - 1)
            with pytest.raises(IdempotencyConflict):
                await append(living, Idempotency("key-1", "other"))
            living.clock.advance(1)
            assert await append(living, Idempotency("key-1", "other")) == Appended(7)
            assert await append(living, Idempotency("key-1", "other")) == Appended(7, True)
        assert len(values(house)) == 14

    asyncio.run(work())


def test_two_at_once_with_one_key_append_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            living.paused = True
            gate, append_now = asyncio.Event(), house.log.append

            async def held(topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
                if topic == "usage":
                    await gate.wait()
                return await append_now(topic, partition, rows)

            monkeypatch.setattr(house.log, "append", held)
            both = [asyncio.create_task(append(living)) for _ in "ab"]
            begun = (NAMES.requests, partition_for(b"key-1", 2))
            await auntil(lambda: begun in house.log.rows)
            await auntil(lambda: living.facade._appends._busy["key-1"][1] == 2)
            gate.set()
            assert sorted(one.repeated for one in await asyncio.gather(*both)) == [False, True]
        assert values(house) == [f"{n}" for n in range(7)]

    asyncio.run(work())


def test_two_workers_asked_at_once_append_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open("w-1") as one:
            one.paused = True
            async with house.open("w-2") as two:
                two.paused = True
                one.crowd.others, two.crowd.others = [beat("w-2")], [beat("w-1")]
                both_know_nothing, append_now = asyncio.Barrier(2), house.log.append

                async def held(topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
                    if topic == NAMES.requests and b"begin" in (rows[0][0] or b""):
                        await both_know_nothing.wait()
                    return await append_now(topic, partition, rows)

                monkeypatch.setattr(house.log, "append", held)
                done = await asyncio.gather(append(one), append(two))
                assert sorted(each.repeated for each in done) == [False, True]
        assert values(house) == [f"{n}" for n in range(7)]

    asyncio.run(work())


def test_a_later_use_of_a_key_does_not_take_the_earlier_rows_for_its_own(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert not killed_at(house, "w-1", 99, 0)
    house.clock.advance(DAY_MS)
    assert killed_at(house, "w-1", 3, 0)
    assert not killed_at(house, "w-1", 99, 0)
    assert values(house) == sorted(2 * [f"{n}" for n in range(7)])


def begin(worker: str, **changes: object) -> Begin:
    begun = Begin("key-1", f"by-{worker}", "f", worker, "usage", 7, 2, 0, {0: 0, 1: 0}, START_MS)
    return msgspec.structs.replace(begun, **changes)


def told(*steps: Begin | Done) -> Request | None:
    """What the log tells of the key after these steps."""
    connection = sqlite3.connect(":memory:")
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    for offset, step in enumerate(steps):
        apply(connection, 0, [(offset, 0, b"", encode(step), ())])
    return find(connection, "key-1")


def test_of_two_beginnings_the_first_stands_until_its_day_is_over() -> None:
    late = begin("w-2", at=START_MS + DAY_MS)
    assert told(begin("w-1"), begin("w-2")) == Request(begin("w-1"), None)
    assert told(begin("w-1"), late) == Request(late, None)


def test_of_two_that_take_over_the_first_has_it() -> None:
    first = begin("w-1", owner="w-2", taken_from="w-1")
    second = begin("w-1", owner="w-3", taken_from="w-1")
    after = begin("w-1", owner="w-3", taken_from="w-2")
    assert told(begin("w-1"), first, second) == Request(first, None)
    assert told(begin("w-1"), first, after) == Request(after, None)


def test_only_the_request_itself_is_done_by_its_word() -> None:
    done = Done("key-1", "by-w-1", {0: 3})
    assert told(begin("w-1"), Done("key-1", "by-w-2", {0: 9})) == Request(begin("w-1"), None)
    assert told(begin("w-1"), done, begin("w-2")) == Request(begin("w-1"), {0: 3})
    assert told(done) is None


def killed_at(house: House, worker: str, number: int, left: int) -> bool:
    """A request whose worker dies in append `number` of it, of which `left` rows survive."""
    seen = 0

    def survives(topic: str, n: int) -> int:
        nonlocal seen
        if topic not in ("usage", NAMES.requests):
            return n
        seen += 1
        return min(left, n) if seen == number else n

    async def work() -> None:
        async with house.open(worker) as living:
            living.paused = True
            house.log.survives = survives
            await append(living)

    try:
        asyncio.run(work())
    except Killed:
        return True
    finally:
        house.log.survives = lambda _topic, n: n
    return False


@pytest.mark.parametrize("left", [0, 1, 2, 3])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("again", ["w-1", "w-2"])
def test_a_request_killed_anywhere_is_completed_by_its_repeat(
    tmp_path: Path, number: int, left: int, again: str
) -> None:
    house = House(tmp_path)
    # one append each: begin, two partitions, done
    cut = killed_at(house, "w-1", number, left)
    assert cut or left >= (1 if number in (1, 4) else 3)

    async def repeat() -> Appended:
        async with house.open(again) as living:
            living.paused = True
            await append(living)
            return await append(living)

    assert asyncio.run(repeat()) == Appended(7, repeated=True)
    assert values(house) == [f"{n}" for n in range(7)]


def test_killed_again_and_again_every_row_is_there_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    for n, (number, left) in enumerate([(2, 1), (1, 0), (2, 1), (2, 0), (3, 0), (4, 0)]):
        killed_at(house, f"w-{n % 3}", number, left)
    assert not killed_at(house, "w-9", 99, 0)
    assert values(house) == [f"{n}" for n in range(7)]


def test_while_its_worker_lives_a_request_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appends, "BUSY_S", 0.05)
    house = House(tmp_path)
    assert killed_at(house, "w-1", 2, 1)

    async def work() -> None:
        async with house.open("w-2") as living:
            living.paused = True
            living.crowd.others = [beat("w-1")]
            with pytest.raises(Unavailable, match="w-1 is at the request"):
                await append(living)
            assert len(values(house)) < 7
            living.crowd.others = []
            assert await append(living) == Appended(7, repeated=True)

    asyncio.run(work())
    assert values(house) == [f"{n}" for n in range(7)]


def beat(worker: str) -> Beat:
    return Beat(worker, "http://127.0.0.1:1", (), (), (), 0, "ready", "", 0)


def test_a_caller_that_goes_away_leaves_no_half_request(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            call = asyncio.create_task(append(living))
            await asyncio.sleep(0)
            call.cancel()
            assert await append(living) == Appended(7, repeated=True)
        assert values(house) == [f"{n}" for n in range(7)]

    asyncio.run(work())


def test_requests_are_forgotten_after_their_day_on_the_topic_too(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path)
        async with house.open() as living:
            await append(living)
            living.clock.advance(DAY_MS // 2)
            await append(living, Idempotency("key-2", "f"))
            living.clock.advance(DAY_MS * 3 // 4)
            await living.facade._appends.forget()
            rows = [
                r for tp, held in house.log.rows.items() if tp[0] == NAMES.requests for r in held
            ]
            last = {row[2]: row[3] for row in rows}
            kept = {key for key, value in last.items() if value is not None}
            assert {(key or b"").split(b"\0")[0] for key in kept} == {b"key-2"}
            assert len(last) == 4

    asyncio.run(work())


def test_what_is_known_of_requests_is_rebuilt_from_the_topic(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def ask(worker: str) -> Appended:
        async with house.open(worker) as living:
            return await append(living)

    assert asyncio.run(ask("w-1")) == Appended(7)
    view = tmp_path / "w-1" / "views" / "requests.sqlite"
    for left in view.parent.glob("requests.sqlite*"):
        left.write_bytes(b"this is no database" * 100)
    assert asyncio.run(ask("w-1")) == Appended(7, repeated=True)
    assert asyncio.run(ask("elsewhere")) == Appended(7, repeated=True)
    assert len(values(house)) == 7
