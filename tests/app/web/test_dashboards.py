"""Dashboards and feeds over HTTP."""

import asyncio
import csv
import io
import json
from typing import Any

import msgspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.metrics_backend import Asked, Figured, TooManyBuckets
from app.people.people import People
from app.web.api.dashboard_books import sheet_name
from app.web.api.dashboards import DashboardOut
from app.web.api.feeds import check_token, parquet_of
from app.web.context import SETTINGS
from app.web.dashboards_shown import range_text
from app.web.people import PEOPLE
from app.web.problems import ProblemError
from tests.app.web.fake import FakeBackend
from tests.app.web.fake_figures import BESIDE, NOTHING, POINT
from tests.app.web.made import NOW_MS
from tests.app.web.site import Client, get, problem, visit
from tests.browser.dev import DevSettings

BOARDS = "/api/metrics/dashboards"
FEED = "/api/metrics/feeds/github.stars"
STARS = {
    "type": "line", "title": "Stars [all]", "metric": "github.stars", "group": ["repo"],
    "range": "36h", "where": {"repo": ["a"]}, "overlay": "week",
}  # fmt: skip
GROWTH: dict[str, Any] = {
    "kind": "dashboard", "name": "growth", "title": "Growth",
    "widgets": [STARS, {"type": "number", "metric": "cmd"}],
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "kind": "source", "name": "main", "connector": "github", "schedule": "0 * * * *",
    "credentials": {"token": "GITHUB"}, "fetch": {"repositories": ["a/b"]},
}  # fmt: skip


class Boards(FakeBackend):
    """With documents, and it keeps what it is asked; a group is called like a formula."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        super().__init__("none")
        self.questions: list[Asked] = []
        for body in bodies or (GROWTH, SOURCE):
            self._add(str(body["kind"]), str(body["name"]), body, "ada", "", NOW_MS)

    async def figures(self, asked: Asked) -> Figured:
        self.questions.append(asked)
        found = await super().figures(asked)
        series = [{**one, "dimensions": dict.fromkeys(asked.group, "=1+1")} for one in found.series]
        return Figured(found.metric, found.grain, found.zone, series)


def fetched(path: str, *tokens: str, backend: FakeBackend | None = None) -> tuple[int, bytes, Any]:
    async def steps(client: Client) -> tuple[int, bytes, Any]:
        response = await client.get(path)
        return response.status, await response.read(), response.headers

    return visit(steps, backend or Boards(), DevSettings(feed_tokens=tokens))


def test_dashboards_are_listed_with_those_of_sources() -> None:
    items = json.loads(get(BOARDS, Boards())[1])["items"]
    assert [(one["name"], one["title"], one["default"]) for one in items] == [
        ("growth", "Growth", False), ("main", "main", True),
    ]  # fmt: skip
    assert items[0]["widgets"] == 2 and items[1]["widgets"] > 3


def test_a_document_takes_the_place_of_a_default_one() -> None:
    backend = Boards({**GROWTH, "name": "main"}, SOURCE)
    (one,) = json.loads(get(BOARDS, backend)[1])["items"]
    assert (one["name"], one["title"], one["default"]) == ("main", "Growth", False)


def test_a_dashboard_is_its_document_with_figures() -> None:
    backend = Boards()
    status, text = get(f"{BOARDS}/growth", backend)
    found = json.loads(text)
    assert status == 200
    assert len(msgspec.json.decode(text, type=DashboardOut).widgets) == 2
    assert {**found, "widgets": 0} == {
        "kind": "dashboard", "name": "growth", "title": "Growth", "default": False, "widgets": 0,
    }  # fmt: skip
    points = [{**POINT, "overlay": BESIDE}, {**NOTHING, "overlay": BESIDE}]
    assert found["widgets"][0] == {
        **STARS, "grain": "day", "timezone": "UTC",
        "series": [{"dimensions": {"repo": "=1+1"}, "points": points}],
    }  # fmt: skip
    assert found["widgets"][1]["title"] == "cmd" and found["widgets"][1]["range"] == "30d"
    asked = backend.questions[0]
    assert (asked.group, asked.where, asked.overlay) == (("repo",), {"repo": ("a",)}, "week")
    assert asked.from_.endswith("Z") and asked.to == ""


def test_a_default_dashboard_is_shown() -> None:
    status, text = get(f"{BOARDS}/main", Boards())
    first = json.loads(text)["widgets"][0]
    assert (status, first["metric"], first["group"]) == (200, "github.stars", ["repo"])


def test_a_widget_is_a_table_without_formulas() -> None:
    status, body, headers = fetched(f"{BOARDS}/growth/widgets/0.csv")
    assert status == 200 and headers["Content-Type"] == "text/csv; charset=utf-8"
    first, second = csv.DictReader(io.StringIO(body.decode()))
    assert (first["repo"], first["value"], first["overlay_value"]) == ("'=1+1", "12", "10")
    assert (second["value"], second["partial"]) == ("", "true")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/growth/widgets/2.csv", "/growth/widgets/x.csv", "/growth/widgets/-1.csv",
     "/no.xlsx", "/no.pdf"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(path: str) -> None:
    status, text = get(BOARDS + path, Boards())
    assert (status, json.loads(text)["type"]) == (404, "urn:sluice:problem:not-found")


def test_a_dashboard_is_a_workbook_without_formulas() -> None:
    status, body, headers = fetched(f"{BOARDS}/growth.xlsx")
    assert status == 200 and "growth.xlsx" in headers["Content-Disposition"]
    book = openpyxl.load_workbook(io.BytesIO(body))
    assert book.sheetnames == ["0 Stars  all", "1 cmd"]
    head, first, second = book["0 Stars  all"].iter_rows(values_only=True)
    assert head[:3] == ("repo", "start", "value")
    assert first[:3] == ("'=1+1", POINT["start"], 12)
    assert second[2] in (None, "")
    assert all(cell.data_type != "f" for sheet in book for row in sheet for cell in row)


def test_a_widget_that_is_too_large_is_named() -> None:
    class Large(Boards):
        async def figures(self, asked: Asked) -> Figured:
            if asked.metric == "cmd":
                raise TooManyBuckets(100_000)
            return await super().figures(asked)

    for path in ("growth", "growth.xlsx", "growth/widgets/1.csv"):
        status, text = get(f"{BOARDS}/{path}", Large())
        assert status == 422 and json.loads(text)["detail"].startswith("Widget 1 is for more")


def test_sheets_have_names_that_excel_takes() -> None:
    names = [sheet_name(n, "'History/of: everything* that? [was] \\ " + "x" * 40) for n in (0, 49)]
    assert names[0] != names[1]
    assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in names)
    assert sheet_name(3, "abc'") == "3 abc"


@pytest.mark.parametrize(
    ("ms", "text"), [(30 * 86_400_000, "30d"), (129_600_000, "36h"), (5_400_001, "5400001ms")]
)
def test_a_range_is_written_as_it_is_read(ms: int, text: str) -> None:
    assert range_text(ms) == text


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("query", "tokens", "status"),
    [
        ("", (), 200),
        ("", ("one",), 200),  # this machine asks
        ("?token=one", ("one", "two"), 200),
        ("?token=two", ("one", "two"), 200),
        ("?token=three", ("one", "two"), 401),
        ("?token=one", (), 401),
        ("?token=", ("one",), 401),
        ("?token=%C3%A5", ("one",), 401),
        ("?token=%C3%A5", ("å",), 200),
        ("?token=one&token=three", ("one",), 401),
    ],
)
def test_a_feed_is_opened_by_its_token(
    kind: str, query: str, tokens: tuple[str, ...], status: int
) -> None:
    found, body, headers = fetched(f"{FEED}.{kind}{query}", *tokens)
    assert found == status
    if status == 401:
        told = json.loads(body)
        assert told["type"] == "urn:sluice:problem:bad-token"
        assert b"three" not in body and "WWW-Authenticate" in headers


def test_another_machine_needs_a_token() -> None:
    app = web.Application()
    app[SETTINGS] = DevSettings(feed_tokens=("one",))
    away = {"peername": ("192.0.2.1", 1)}

    def asked(path: str) -> web.Request:
        request = make_mocked_request("GET", path, app=app)
        return request.clone(remote=away["peername"][0])

    app[PEOPLE] = People()
    asyncio.run(check_token(asked("/x?token=one")))
    with pytest.raises(ProblemError) as caught:
        asyncio.run(check_token(asked("/x")))
    assert caught.value.status == 401


def test_a_feed_is_what_the_query_tells() -> None:
    asked = "?grain=week&from=2024-01-01&group=repo&overlay=week&tz=Europe/Rome&where.repo=a"
    backend = Boards()
    status, body, _ = fetched(f"{FEED}.csv{asked}", backend=backend)
    query = get(f"/api/metrics/query{asked}&metric=github.stars", backend, Accept="text/csv")
    assert (status, body.decode()) == query
    assert backend.questions[0] == backend.questions[1]


def test_a_parquet_feed_has_types_that_do_not_depend_on_its_rows() -> None:
    status, body, headers = fetched(f"{FEED}.parquet?group=repo&overlay=week")
    assert status == 200 and headers["Content-Type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(body))
    first, second = table.to_pylist()
    assert (first["repo"], first["value"], first["overlay_value"]) == ("=1+1", 12.0, 10.0)
    assert first["start"].isoformat() == "2024-03-30T23:00:00+00:00"
    assert (second["value"], second["count"], second["partial"]) == (None, 0, True)
    asked = Asked("m", group=("repo",), overlay="week")
    empty = pq.read_table(io.BytesIO(parquet_of(asked, Figured("m", "day", "UTC", []))))
    assert empty.schema == table.schema and empty.num_rows == 0
    assert table.schema.field("start").type == pa.timestamp("ms", tz="UTC")


def test_a_dimension_called_like_a_column_stays_text() -> None:
    asked = Asked("m", group=("value",))
    series = [{"dimensions": {"value": "a"}, "points": [POINT]}]
    table = pq.ParquetFile(io.BytesIO(parquet_of(asked, Figured("m", "day", "UTC", series))))
    assert [field.type for field in table.schema_arrow][:1] == [pa.string()]


def test_what_is_wrong_with_a_feeds_question_is_said() -> None:
    async def steps(client: Client) -> None:
        await problem(await client.get(f"{FEED}.csv?grain=minute"), 400, "bad-parameter")
        response = await client.get(f"{FEED}.csv?grain=hour&from=1900-01-01")
        await problem(response, 422, "too-many-buckets")

    visit(steps, Boards())
