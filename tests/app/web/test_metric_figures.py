"""Figures and SQL over HTTP."""

import csv
import io
import json

import pytest

from tests.app.web.fake import FakeBackend
from tests.app.web.fake_figures import BESIDE, NOTHING, POINT
from tests.app.web.site import Client, get, visit

QUERY = "/api/metrics/query?metric=github.stars"


def test_a_metric_has_series_of_points() -> None:
    status, text = get(QUERY + "&grain=day&group=repo&overlay=week&tz=Europe/Rome")
    assert status == 200
    assert json.loads(text) == {
        "metric": "github.stars",
        "grain": "day",
        "timezone": "Europe/Rome",
        "series": [
            {
                "dimensions": {"repo": "a"},
                "points": [{**POINT, "overlay": BESIDE}, {**NOTHING, "overlay": BESIDE}],
            }
        ],
    }


def test_no_group_is_no_dimension_of_no_name() -> None:
    told = json.loads(get(QUERY + "&group=&group=repo")[1])
    assert told["series"][0]["dimensions"] == {"repo": "a"}


def test_the_same_as_a_table_has_nothing_for_null() -> None:
    status, text = get(QUERY + "&group=repo", Accept="text/csv")
    assert status == 200
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["repo"], first["start"], first["value"], first["partial"]) == (
        "a", POINT["start"], "12", "false",
    )  # fmt: skip
    assert (second["value"], second["count"], second["partial"]) == ("", "0", "true")


@pytest.mark.parametrize(
    ("path", "status", "where"),
    [
        ("/api/metrics/query", 400, "metric"),
        (QUERY + "&grain=minute", 400, "grain"),
        (QUERY + "&overlay=day", 400, "overlay"),
        (QUERY + "&tz=Mars/Base", 400, "tz"),
        (QUERY + "&from=soon", 400, "from"),
        (QUERY + "&group=repository", 400, "group"),
        (QUERY + "&group=repo&where.reop=a", 400, "where.reop"),
        ("/api/metrics/feeds/github.stars.csv?group=repository", 400, "group"),
        (QUERY + "&grain=hour&from=1900-01-01", 422, ""),
    ],
)
def test_what_is_wrong_with_a_question_is_said(path: str, status: int, where: str) -> None:
    found, text = get(path)
    assert found == status
    assert [each["path"] for each in json.loads(text)["errors"]] == ([where] if where else [])


def test_metrics_are_listed() -> None:
    items = json.loads(get("/api/metrics")[1])["items"]
    assert items[0] == {"name": "github.stars", "type": "gauge", "timezone": "UTC"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"sql":"select metric from rollups"}', 200),
        (b'{"sql":"copy passwd"}', 400),
        (b'{"sql":"select forever"}', 422),
        (b'{"query":"select 1"}', 400),
        (b"select 1", 400),
    ],
)
def test_a_statement_is_answered_or_refused(body: bytes, status: int) -> None:
    async def steps(client: Client) -> tuple[int, str]:
        response = await client.post("/api/sql", data=body)
        return response.status, await response.text()

    found, text = visit(steps)
    assert found == status, text
    if status == 200:
        assert json.loads(text) == {
            "columns": [{"name": "metric", "type": "VARCHAR"}],
            "rows": [["github.stars"]],
            "truncated": False,
        }


@pytest.mark.parametrize(
    "path",
    [
        "/api/metrics/query?metric=nobody.knows",
        "/api/metrics/feeds/nobody.knows.csv",
        "/api/metrics/feeds/nobody.knows.parquet",
    ],
)
def test_a_metric_that_there_is_not_is_404(path: str) -> None:
    backend = FakeBackend()
    backend.unheard = {"nobody.knows"}
    status, text = get(path, backend)
    assert status == 404
    assert "nobody.knows" in json.loads(text)["detail"]
