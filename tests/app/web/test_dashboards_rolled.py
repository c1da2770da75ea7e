"""Dashboards of a worker with real rollups: from records to JSON, CSV, Excel."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from aiohttp.test_utils import TestClient, TestServer

from app.web.server import make_web
from domain.metrics.moments import moment_ms
from domain.metrics.records import Record, Value
from tests.app.facade.house import Clock, House
from tests.app.facade.rolled import rolled
from tests.browser.dev import DevSettings

ZONE = "Europe/Stockholm"
STARS, VISITS = "github.stars", "shop.visits"


def records(days: list[str], zone: str = ZONE) -> list[Record]:
    """On the n-th day at noon: two repositories have n stars each, and the shop n and 2n visits."""
    made = []
    for n, day in enumerate(days, 1):
        at = moment_ms(f"{day}T12:00:00", zone)
        assert at is not None
        for k, repo in enumerate(("acme/a", "acme/b"), 1):
            values = [
                Value(STARS, "gauge", {"repo": repo}, n),
                Value(VISITS, "counter", {"shop": repo}, n * k),
            ]
            made.append(Record("s", f"{day}{repo}", at, 1, {}, values, zone))
    return made


def widget(metric: str, **more: Any) -> dict[str, Any]:
    return {"type": "line", "metric": metric, **more}


def seen(folder: Path, now: str, made: list[Record], *widgets: dict[str, Any]) -> dict[str, Any]:
    """The dashboard of these widgets at that time, after its three shapes were found equal."""
    at = moment_ms(now, ZONE)
    assert at is not None

    async def run() -> tuple[dict[str, Any], list[bytes], bytes]:
        async with House(folder, clock=Clock(at)).open() as living:
            board = {"kind": "dashboard", "name": "all", "widgets": list(widgets)}
            await living.put(board)
            facade = await rolled(living, made)
            app = make_web(facade, DevSettings(), living.clock)
            async with TestClient(TestServer(app)) as client:
                base = "/api/metrics/dashboards/all"
                shown = await client.get(base)
                assert shown.status == 200, await shown.text()
                tables = [
                    await (await client.get(f"{base}/widgets/{n}.csv")).read()
                    for n in range(len(widgets))
                ]
                return await shown.json(), tables, await (await client.get(f"{base}.xlsx")).read()

    board, tables, book = asyncio.run(run())
    sheets = openpyxl.load_workbook(io.BytesIO(book)).worksheets
    for one, table, sheet in zip(board["widgets"], tables, sheets, strict=True):
        wanted = flat(one)
        assert [typed(row) for row in csv.DictReader(io.StringIO(table.decode()))] == wanted
        head, *rows = sheet.iter_rows(values_only=True)
        held = [typed(dict(zip(head, row, strict=True))) for row in rows]
        # a workbook has 16 digits of a number
        assert held == [{k: about(v) for k, v in row.items()} for row in wanted]
    return board


def flat(one: dict[str, Any]) -> list[dict[str, Any]]:
    """A widget's series as rows."""
    rows = []
    for series in one["series"]:
        for point in series["points"]:
            over = {f"overlay_{k}": v for k, v in (point.get("overlay") or {}).items()}
            own = {k: v for k, v in point.items() if k != "overlay"}
            rows.append({**series["dimensions"], **own, **over})
    return rows


def about(value: Any) -> Any:
    """A number as a workbook may hold it."""
    return pytest.approx(value, rel=1e-15) if isinstance(value, float) else value


def typed(row: dict[Any, Any]) -> dict[str, Any]:
    """Cells as JSON has them."""
    return {name: _typed(value) for name, value in row.items()}


def _typed(value: Any) -> Any:
    if value in ("", None):
        return None
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def overs(board: dict[str, Any], n: int = 0) -> dict[str, tuple[Any, str, Any]]:
    """day -> (value, the day below, its value) of a widget's first series."""
    points = board["widgets"][n]["series"][0]["points"]
    return {
        p["start"][:10]: (p["value"], p["overlay"]["start"][:10], p["overlay"]["value"])
        for p in points
    }


def test_a_dashboard_is_the_same_in_every_shape(tmp_path: Path) -> None:
    days = [f"2024-03-{day:02}" for day in range(20, 32)]
    board = seen(
        tmp_path,
        "2024-03-31T18:00:00",
        records(days),
        widget(STARS, range="5d", group=["repo"]),
        widget(VISITS, range="5d", overlay="week"),
        widget(VISITS, range="5d", where={"shop": "acme/b"}),
        widget(STARS, grain="month", range="60d"),
        widget("nobody.knows"),
    )
    stars, visits, some, month, none = (one["series"] for one in board["widgets"])
    assert [p["value"] for p in stars[0]["points"]] == [7, 8, 9, 10, 11, 12]
    assert [s["dimensions"]["repo"] for s in stars] == ["acme/a", "acme/b"]
    assert [p["value"] for p in visits[0]["points"]] == [21, 24, 27, 30, 33, 36]
    assert [p["overlay"]["value"] for p in visits[0]["points"]] == [None, 3, 6, 9, 12, 15]
    assert [p["overlay"]["difference"] for p in visits[0]["points"]][1:] == [21] * 5
    assert [p["value"] for p in some[0]["points"]] == [14, 16, 18, 20, 22, 24]
    # a gauge's month is what its series were last, added up
    assert [(p["start"][:10], p["value"]) for p in month[0]["points"]] == [
        ("2024-01-01", None), ("2024-02-01", None), ("2024-03-01", 24),
    ]  # fmt: skip
    assert none == []
    # the last day has 23 hours, and isn't over
    assert stars[0]["points"][-1]["start"] == "2024-03-31T00:00:00+01:00"
    assert [p["partial"] for p in stars[0]["points"]] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("now", "days", "grain", "overlay", "wanted"),
    [
        # 31 March lies over 29 February, as 29 March does; over 28 where there is no 29
        ("2024-03-31T18:00:00", ["2024-02-29", "2024-03-29", "2024-03-31"], "day", "month",
         {"2024-03-29": (6, "2024-02-29", 3), "2024-03-31": (9, "2024-02-29", 3)}),
        ("2023-03-31T18:00:00", ["2023-02-28", "2023-03-31"], "day", "month",
         {"2023-03-31": (6, "2023-02-28", 3), "2023-03-30": (None, "2023-02-28", 3)}),
        ("2024-02-29T18:00:00", ["2023-02-28", "2024-02-29"], "day", "year",
         {"2024-02-29": (6, "2023-02-28", 3), "2024-02-28": (None, "2023-02-28", 3)}),
        # week 53 of 2020 lies over week 52 of 2019, which its week 52 lies over too
        ("2021-01-03T18:00:00", ["2019-12-25", "2020-12-31"], "week", "year",
         {"2020-12-28": (6, "2019-12-23", 3), "2020-12-21": (None, "2019-12-23", 3)}),
        ("2024-03-31T18:00:00", ["2023-05-01", "2024-02-10"], "quarter", "year",
         {"2024-01-01": (6, "2023-01-01", None)}),
    ],
)  # fmt: skip
def test_an_overlay_goes_by_the_calendar(
    tmp_path: Path, now: str, days: list[str], grain: str, overlay: str, wanted: dict[str, Any]
) -> None:
    asked = widget(VISITS, grain=grain, range="10d", overlay=overlay)
    board = seen(tmp_path, now, records(days), asked)
    found = overs(board)
    assert {day: found[day] for day in wanted} == wanted


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2024-03-31T23:30:00", 23), ("2024-10-27T23:30:00", 25), ("2024-06-01T23:30:00", 24)],
)
def test_a_day_has_its_hours(tmp_path: Path, now: str, hours: int) -> None:
    board = seen(tmp_path, now, records([now[:10]]), widget(VISITS, grain="hour", range="30h",
                                                            overlay="week"))  # fmt: skip
    points = board["widgets"][0]["series"][0]["points"]
    today = [p for p in points if p["start"].startswith(now[:10])]
    assert len(today) == hours
    assert sum(p["value"] or 0 for p in today) == 3
    assert len({p["start"] for p in points}) == len(points)
