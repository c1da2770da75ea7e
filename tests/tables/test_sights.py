"""Event ids are known until they are over, whatever survives of a commit, and then nothing of them
is left; blocks are small here, so that there are many.
"""

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.state.recount import _of_indexes
from connectors.streams.memory import Killed, MemoryLog
from domain.aggregation.session import Row, last_applied, set_applied
from domain.aggregation.sights import run_of
from domain.clock import FixedClock
from tables import blocks, forgetting
from tables.changelog import Changelog
from tables.changes import Changes
from tables.forgetting import sweep, take_out
from tables.formats import SHARD, Formats
from tables.layout import BLOCK, FORGET, FORMAT, LOCAL, ROW, SEEN, encode, instant_bytes, seen_key
from tables.shard import Shard
from tests.agents.world import Disk

TOPIC = "changes"
KEPT_MS = 1_000
ROWS = (b"acc\0spec\0[1]", b"acc\0spec\0[2]", b"acc\0spec\0[3]")
IDS = tuple(bytes([n]) * 16 for n in range(6))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_IDS", 2)
    monkeypatch.setattr(forgetting, "BLOCKS_AT_ONCE", 1)
    monkeypatch.setattr(forgetting, "IDS_AT_ONCE", 2)


class Lived:
    """A shard, its log, and what must be known: (row, id) -> sight."""

    def __init__(self) -> None:
        self.clock = FixedClock(10_000)
        self.left: int | None = None
        self.log = MemoryLog(self.clock, self._survives)
        self.log.counts[TOPIC] = 1
        self.disk = Disk()
        self.old: dict[bytes, bytes] = {}
        self.offset = 0
        self.known: dict[tuple[bytes, bytes], list[Any]] = {}
        self.shard = self.opened()

    def _survives(self, _topic: str, rows: int) -> int:
        left, self.left = self.left, None
        return rows if left is None else min(left, rows)

    def opened(self) -> Shard:
        changelog = Changelog(self.log, TOPIC, 0, "w", SHARD)
        self.shard = Shard(0, self.disk, changelog, _no_rule, None, now_ms=self.clock.now_ms)
        asyncio.run(self.shard.open())
        return self.shard

    def commit(self, changes: Changes) -> None:
        asyncio.run(self.shard.commit(changes))

    def see(self, sights: list[tuple[int, int]], cut: int | None) -> None:
        """Records of these (row, id), of which a part of the changelog survives, come again."""
        records = []
        for of_row, event in sights:
            key, event_id = ROWS[of_row], IDS[event]
            if (key, event_id) not in self.known:
                self.offset += 1
                now = self.clock.now_ms()
                sight: list[Any] = ["usage", 0, self.offset, now, now + KEPT_MS]
                records.append((key, event_id, sight))
                self.known[key, event_id] = sight
        self.left = cut if records else None
        while records:
            changes = Changes(effective_now=self.clock.now_ms())
            rows = self.shard.load({row for row, _, _ in records})
            for key, event_id, sight in records:
                row = rows[key]
                if last_applied(row, "usage", 0) < sight[2]:
                    set_applied(row, "usage", 0, sight[2])
                    row.touched = sight[3]
                    if self.shard.seen(key, [event_id]).get(event_id) != sight:
                        row.seen = (*row.seen, run_of(event_id, sight))
                    changes.rows[key] = (row, 1 << 40)
            try:
                self.commit(changes)
                return
            except Killed:
                self.opened()

    def tick(self) -> None:
        """Forgets what is over."""
        now = self.clock.now_ms()
        while True:
            changes = Changes(effective_now=now)
            index, changes.forget, dropped = self.shard.forgettable(now, 3)
            if not index:
                break
            changes.dropped += [*index, *dropped]
            changes.forget_up_to = index[-1]
            self.commit(changes)
        self.known = {at: sight for at, sight in self.known.items() if sight[4] > now}

    def take_out(self, row: int) -> None:
        changes = Changes(effective_now=self.clock.now_ms())
        changes.rows = {ROWS[row]: (self.shard.load([ROWS[row]])[ROWS[row]], 1 << 40)}
        self.commit(changes)
        new = partial(Changes, effective_now=self.clock.now_ms())
        for taken in take_out(self.shard.store, [ROWS[row]], b"replay ", new):
            self.commit(taken)
        self.known = {at: sight for at, sight in self.known.items() if at[0] != ROWS[row]}

    def lose(self) -> None:
        self.disk = Disk()
        self.opened()

    def check(self) -> None:
        now = self.clock.now_ms()
        for row in ROWS:
            wanted = {at[1]: one for at, one in self.known.items() if at[0] == row}
            found = self.shard.seen(row, IDS)
            assert {at: one for at, one in found.items() if one[4] > now} == {
                at: one for at, one in wanted.items() if one[4] > now
            }
        assert list(_of_indexes(self.shard.store)) == []


def _no_rule(_name: str, _version: int) -> Any:
    raise AssertionError


places = st.tuples(st.integers(0, 2), st.integers(0, 5))
step = st.one_of(
    st.tuples(st.just("see"), st.lists(places, max_size=9), st.none() | st.integers(0, 8)),
    st.tuples(st.just("tick"), st.sampled_from([0, 400, KEPT_MS])),
    st.tuples(st.just("take out"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["lose", "again", "keep", "put back", "compact", "sweep"])),
)
ALL = [(row, event_id) for row in range(3) for event_id in range(6)]


@settings(
    max_examples=100, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(step, max_size=14))
@example([("see", ALL, None), ("take out", 1), ("lose",), ("tick", KEPT_MS), ("see", ALL, None)])
@example([("see", ALL, 12), ("compact",), ("lose",), ("see", [(0, 1)], None), ("compact",)])
@example([("see", ALL, None), ("keep",), ("take out", 0), ("tick", 400), ("put back",)])
def test_ids_are_known_until_they_are_over(history: list[Any]) -> None:
    lived = Lived()
    for event in [*history, ("compact",), ("lose",)]:
        match event:
            case ("see", sights, cut):
                lived.see(sights, cut)
            case ("tick", by):
                lived.clock.advance(by)
                lived.tick()
            case ("take out", int(row)):
                lived.take_out(row)
            case ("lose",):
                lived.lose()
            case ("again",):
                lived.opened()
            case ("keep",):
                lived.old = dict(lived.disk._rows)
            case ("put back",):
                lived.disk = Disk()
                lived.disk._rows = dict(lived.old)
                lived.opened()
            case ("compact",):
                lived.log.compact(TOPIC, 0)
            case ("sweep",):
                for changes in sweep(lived.shard.store, Changes):
                    lived.commit(changes)
        lived.check()
    lived.clock.advance(2 * KEPT_MS)
    lived.tick()
    assert list(lived.shard.store.scan(BLOCK, BLOCK + b"\xff")) == []
    assert list(lived.shard.store.scan(SEEN, SEEN + b"\xff")) == []
    assert list(lived.shard.store.scan(FORGET, FORGET + b"\xff")) == []


def test_ids_whose_row_alone_survived_are_written_before_the_row_is_again() -> None:
    lived = Lived()
    lived.see(ALL, None)
    held = lived.log.rows[TOPIC, 0]
    held[:] = [item for item in held if item[2] is not None and item[2][:1] != BLOCK]
    lived.lose()
    changes = Changes(effective_now=lived.clock.now_ms())
    changes.rows = {key: (row, 1 << 40) for key, row in lived.shard.load(ROWS).items()}
    lived.commit(changes)
    lived.log.compact(TOPIC, 0)
    lived.lose()
    lived.check()


def test_ids_taken_back_are_known_so_by_the_later_block() -> None:
    lived = Lived()
    lived.see([(0, 0), (0, 1)], None)
    row = lived.shard.load([ROWS[0]])[ROWS[0]]
    sight = lived.known[ROWS[0], IDS[0]]
    row.seen = (run_of(IDS[0], sight, taken_back=True),)
    lived.commit(Changes(rows={ROWS[0]: (row, 1 << 40)}))
    for _ in range(2):
        assert lived.shard.seen(ROWS[0], [IDS[0]]) == {IDS[0]: [*sight, 1]}
        lived.lose()


def test_far_apart_records_are_in_blocks_of_their_own() -> None:
    sights = [["usage", 0, n << 31, 5 + (n << 33), 6 + (n << 33)] for n in range(5)]
    firsts: blocks.Firsts = {}
    for n, sight in enumerate(sights):
        blocks.gather(firsts, ROWS[0], [run_of(IDS[n], sight)], 1)
    found = list(blocks.lay_down(firsts, 7))
    assert [number for number, _, _ in found] == [8, 9, 10, 11, 12]
    told = [block.sight(key) for _, block, (key,) in found]
    assert told == sights
    assert found[0][1].sight(seen_key(ROWS[0], IDS[1])[1:]) is None


def test_a_key_is_found_at_its_place_only() -> None:
    ids = [b"\0" * 16, b"\0" * 15 + b"\1"]
    keys = [bytes(8) + each for each in ids]
    block = blocks.Block("t", 0, 5, 0, 24, 10, 20, b"".join(keys), bytes(7) + b"\3", bytes(8))
    assert block.sight(keys[1]) == ["t", 0, 13, 20, 25]


def test_state_of_format_1_is_gone_on_with() -> None:
    """One id of its own record, and one that its row alone carried; both are known, and forgotten
    in their time.
    """
    lived = Lived()
    old = Changelog(lived.log, TOPIC, 0, "before", Formats(1))
    sights: list[list[Any]] = [["usage", 0, n, 9_000 + n, 9_000 + n + KEPT_MS] for n in range(3)]
    seen = tuple([IDS[n], *sights[n]] for n in range(3))
    row = Row(applied=(["usage", 0, 2],), touched=9_002, wake=1 << 40, seen=seen)
    ids = [(seen_key(ROWS[0], IDS[n]), encode(sights[n])) for n in range(2)]

    async def before() -> None:
        async for _ in old.follow(0):
            pass
        await old.claim()
        await old.append([(ROW + ROWS[0], encode(row)), *ids])

    asyncio.run(before())
    disk = Disk()
    index = [(FORGET + instant_bytes(sights[n][4]) + ids[n][0], b"") for n in range(2)]
    row.seen = ()
    disk.write([(ROW + ROWS[0], encode(row)), *ids, *index])
    for store in (disk, Disk()):
        lived.disk = store
        lived.known = {(ROWS[0], IDS[n]): sights[n] for n in range(3)}
        lived.opened()
        lived.check()
    lived.take_out(1)
    lived.lose()
    assert len(lived.shard.seen(ROWS[0], IDS)) == 3
    lived.clock.advance(KEPT_MS)
    lived.tick()
    lived.lose()
    lived.check()
    kinds = {key[:1] for key, _ in lived.disk.scan(b"\0", b"\xff")}
    assert kinds <= {ROW, LOCAL, FORMAT, b"m", b"w"}
