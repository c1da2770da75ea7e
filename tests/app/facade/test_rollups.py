"""Figures as the facade tells them, from records to answers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.facade.facade import Facade
from app.metrics_backend import Asked, BadRange, MetricDimensions, TooManyBuckets
from app.source_parts import open_archive
from app.source_shapes import Rebuild
from domain.metrics.fetched import Fetched, cut
from domain.metrics.page_names import Written
from domain.metrics.records import Record, Value
from tests.app.facade.house import START_MS, House, Living
from tests.app.facade.rolled import rolled

DAY_MS = 86_400_000


def some() -> list[Record]:
    """Two repositories' stars over ten days, and who came."""
    return [
        Record(
            "s", f"{day}{repo}", START_MS - day * DAY_MS, 100 - day, {},
            [
                Value("github.stars", "gauge", {"repo": repo}, 50 - day),
                Value("shop.visits", "counter", {}, 2),
                Value("shop.orders", "counter", {}, 1),
            ],
            "Europe/Stockholm",
        )
        for day in range(10)
        for repo in "abc"
    ]  # fmt: skip


def told_by(folder: Path, steps: Callable[[Living], Awaitable[None]]) -> None:
    """Runs `steps` with a worker."""

    async def run() -> None:
        async with House(folder).open() as living:
            await steps(living)

    asyncio.run(run())


async def values(facade: Facade, metric: str, **more: Any) -> list[list[float | None]]:
    found = await facade.figures(Asked(metric, from_="2023-11-12", to="2023-11-15", **more))
    return [[point["value"] for point in series["points"]] for series in found.series]


def test_series_of_all_shards_are_one_answer(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        facade = await rolled(living, some())
        assert await values(facade, "shop.visits") == [[6, 6, 6]]
        assert await values(facade, "github.stars") == [[144, 147, 150]]
        by_repo = {"group": ("repo",), "where": {"repo": ["a", "c"]}}
        assert await values(facade, "github.stars", **by_repo) == [[48, 49, 50]] * 2
        assert await values(facade, "nobody.knows") == []
        known = await facade.known_metrics()
        assert known["github.stars"] == ("gauge", "Europe/Stockholm")

    told_by(tmp_path, steps)


def test_an_overlay_that_meets_its_range_counts_nothing_twice(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        facade = await rolled(living, some())
        found = await facade.figures(
            Asked("shop.visits", from_="2023-11-05", to="2023-11-15", overlay="week")
        )
        points = found.series[0]["points"]
        assert [point["value"] for point in points] == [6] * 10
        assert [point["overlay"]["value"] for point in points] == [None] * 7 + [6] * 3
        assert points[-1]["overlay"]["ratio"] == 0
        assert [point["partial"] for point in points] == [False] * 9 + [True]

    told_by(tmp_path, steps)


def test_a_calculated_metric_is_asked_for_as_any_other(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        document = {"kind": "metric", "name": "conversion", "unit": "%",
                    "expression": "shop.orders / shop.visits"}  # fmt: skip
        await living.put(document)
        facade = await rolled(living, some())
        assert await values(facade, "conversion") == [[0.5, 0.5, 0.5]]
        percent = {"kind": "metric", "name": "percent", "expression": "conversion * 100"}
        await living.put(percent)
        assert await values(facade, "percent") == [[50, 50, 50]]

    told_by(tmp_path, steps)


def test_what_a_question_may_name_is_what_documents_say_and_what_there_is(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        facade = await rolled(living, some())
        assert await facade.metric_dimensions("github.stars") == MetricDimensions({"repo"})
        assert await facade.metric_dimensions("shop.visits") == MetricDimensions(set())
        assert await facade.metric_dimensions("nobody.knows") is None
        gauge = {"name": "tank.level", "value": "level", "type": "gauge",
                 "dimensions": {"tank": "id"}}  # fmt: skip
        document = {
            "kind": "source", "name": "tanks", "connector": "http_json", "schedule": "0 3 * * *",
            "base_url": "https://tanks.example", "fetch": {"path": "/"}, "metrics": [gauge],
            "timezone": "Asia/Kathmandu",
        }  # fmt: skip
        await living.put(document)
        assert await facade.metric_dimensions("tank.level") == MetricDimensions({"tank"})
        zones = [await facade.figures(Asked(name)) for name in ("tank.level", "shop.visits")]
        assert [one.zone for one in zones] == ["Asia/Kathmandu", "Europe/Stockholm"]
        await living.put({"kind": "metric", "name": "odd", "expression": "tank.level / new"})
        assert await facade.metric_dimensions("odd", ["of"]) == MetricDimensions({"tank"})

    told_by(tmp_path, steps)


def test_what_is_too_much_or_no_time_is_refused(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        facade = await rolled(living, some())
        with pytest.raises(TooManyBuckets):
            await facade.figures(Asked("shop.visits", "hour", "2000-01-01"))
        with pytest.raises(BadRange):
            await facade.figures(Asked("shop.visits", from_="yesterday"))
        with pytest.raises(BadRange, match="not before 2023-11-15"):
            await facade.figures(Asked("shop.visits", from_="2023-11-15", to="2023-11-14"))

    told_by(tmp_path, steps)


def test_sql_sees_the_archive_and_a_rebuild_is_made_of_it(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        document = {
            "kind": "source", "name": "shop", "connector": "http_json", "schedule": "0 3 * * *",
            "base_url": "https://shop.example", "fetch": {"path": "/", "key": "id"}, "key": "id",
            "metrics": [{"name": "sold", "value": "n", "type": "counter"}],
        }  # fmt: skip
        await living.put(document)
        facade = await rolled(living, some())
        held = [Fetched(START_MS, {"id": n, "n": 2.5, "b": True, "o": None}) for n in (1, 2, 2)]
        archive, of = open_archive(living.parts.settings), Written(1, 1, 0)
        archive.write("shop", of, None, cut("shop", of, held))
        sql = "select source, ts, attributes['n']::double, attributes from archive"
        found = await facade.sql(sql)
        whole = {"id": "1", "n": "2.5", "b": "true", "o": None}
        assert found["rows"][0] == ["shop", "2023-11-14T22:13:20Z", 2.5, whole]
        assert len(found["rows"]) == 3
        begun = await facade.rebuild_source("shop")
        assert begun is not None
        ended = await facade.rebuild_of_source("shop", begun.id, 30)
        assert ended == Rebuild(begun.id, "shop", "done", "", 2, 2, 0, 6)
        assert await values(facade, "sold") == [[None, None, 5]]
        assert await facade.rebuild_source("nobody") is None

    told_by(tmp_path, steps)


def test_sql_sees_every_bucket(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        facade = await rolled(living, some())
        found = await facade.sql(
            "select sum(sum) from rollups where metric = 'shop.visits' and grain = 'day'"
        )
        assert found["rows"] == [[60.0]]

    told_by(tmp_path, steps)
