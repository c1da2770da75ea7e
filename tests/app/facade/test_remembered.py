"""Answers that are remembered: whatever happened, they are what an answer made anew is."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.roll_up import EVENTS
from app.facade.facade import Facade
from app.facade.remembered import Remembered
from app.metrics_backend import Asked
from app.source_parts import open_archive
from domain.metrics.fetched import Fetched, cut
from domain.metrics.grains import GRAINS, OVERLAYS
from domain.metrics.page_names import Written
from domain.metrics.records import Record, Value, encode
from tests.app.facade.house import START_MS, House, Living
from tests.app.facade.rolled import rolled

DAY_MS = 86_400_000
ZONES = ("UTC", "Europe/Stockholm")
SHOP = {
    "kind": "source", "name": "shop", "connector": "http_json", "schedule": "0 3 * * *",
    "base_url": "https://shop.example", "fetch": {"path": "/", "key": "id"}, "key": "id",
    "metrics": [{"name": "a", "value": "n", "type": "counter"}],
}  # fmt: skip


def record(key: int, version: int, ago_h: int, repo: str, value: int) -> Record:
    """Both metrics of a record; one that comes again with a higher version replaces it."""
    ts = START_MS - ago_h * 3_600_000
    values = [Value("a", "counter", {"repo": repo}, value), Value("b", "gauge", {"repo": repo}, 1)]
    return Record("s", str(key), ts, version, {}, values, "UTC")


takes = st.tuples(
    st.just("take"), st.integers(0, 1), st.integers(0, 9), st.integers(0, 900),
    st.sampled_from("xy"), st.integers(0, 99),
)  # fmt: skip
asks = st.builds(
    Asked,
    st.sampled_from(["a", "b", "ratio"]), st.sampled_from(GRAINS),
    st.sampled_from(["", "2023-11-01", "2023-10-20"]), st.sampled_from(["", "2023-11-20"]),
    st.sampled_from([(), ("repo",)]), st.sampled_from([{}, {"repo": ["x"]}]),
    st.sampled_from([None, *OVERLAYS]), st.sampled_from(["", *ZONES]),
)  # fmt: skip
steps = st.lists(
    st.one_of(
        takes, st.tuples(st.just("ask"), asks), st.tuples(st.just("ask"), asks),
        st.tuples(st.just("pass"), st.sampled_from([1, 3_600_000, DAY_MS])),
        st.tuples(st.just("move")), st.tuples(st.just("rebuild")), st.tuples(st.just("express")),
    ),
    min_size=4, max_size=9,
)  # fmt: skip


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.sampled_from([0, 200, 50_000]))
def test_an_answer_is_what_it_would_be_without_a_memory(played: list[Any], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Played(Path(folder), most).play(played))


class Played:
    """One history; after each step everything that was asked so far is asked again."""

    def __init__(self, folder: Path, most: int) -> None:
        self._house, self._memory = House(folder), Remembered(most)
        self._empty = Remembered(0)
        self._asked: list[Asked] = [Asked("a"), Asked("ratio", "hour", group=("repo",))]
        self._next = [0, 0]
        self._version = 0

    async def play(self, played: list[Any]) -> None:
        async with self._house.open() as living:
            await self._express(living)
            await living.put(SHOP)
            facade = await rolled(living, [])
            for name, *details in played:
                await getattr(self, f"_{name}")(living, facade, *details)
                for asked in self._asked:
                    await self._same(facade, asked)

    async def _same(self, facade: Facade, asked: Asked) -> None:
        rollups = facade._rollups
        rollups.remembered = self._empty
        anew = await facade.figures(asked)
        rollups.remembered = self._memory
        for _ in range(2):
            assert await facade.figures(asked) == anew
        assert self._memory.points <= self._memory._points_max

    async def _ask(self, _living: Living, _facade: Facade, asked: Asked) -> None:
        self._asked = [*self._asked, asked][-4:]

    async def _take(
        self, living: Living, _facade: Facade, shard: int, key: int, ago_h: int, repo: str,
        value: int,
    ) -> None:  # fmt: skip
        assert living.parts.rollups is not None
        self._version += 1
        body = encode(record(key, self._version, ago_h, repo, value))
        item = (self._next[shard], START_MS, None, body, ())
        self._next[shard] += 1
        await living.parts.rollups.work.take(shard, [item], lambda: True)

    async def _pass(self, living: Living, _facade: Facade, by_ms: int) -> None:
        living.clock.advance(by_ms)

    async def _move(self, living: Living, _facade: Facade) -> None:
        """Shards are given away and taken again."""
        assert living.parts.rollups is not None
        work = living.parts.rollups.work
        await work.assign(set())
        await work.assign({(EVENTS, 0), (EVENTS, 1)})
        for number in (0, 1):
            async with work.shards.use(number):
                pass

    async def _rebuild(self, living: Living, facade: Facade) -> None:
        archive, self._version = open_archive(living.parts.settings), self._version + 1
        held = [Fetched(START_MS - 1, {"id": self._version, "n": self._version})]
        of = Written(self._version, 1, 0)
        archive.write("shop", of, None, cut("shop", of, held))
        begun = await facade.rebuild_source("shop")
        assert begun is not None
        ended = await facade.rebuild_of_source("shop", begun.id, 30)
        assert ended is not None and ended.state == "done"

    async def _express(self, living: Living, *_: Any) -> None:
        self._version += 1
        expression = f"a / b + {self._version}"
        await living.put({"kind": "metric", "name": "ratio", "expression": expression, "unit": "%"})


def test_what_nothing_happened_to_is_not_read_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            facade = await rolled(living, [record(n, 1, n, "x", n) for n in range(9)])
            first = await facade.figures(Asked("a"))
            again = await facade.figures(replace(Asked("a"), from_="", to=""))
            assert again.series is first.series
            living.clock.advance(DAY_MS)
            assert (await facade.figures(Asked("a"))).series is not first.series

    asyncio.run(run())
