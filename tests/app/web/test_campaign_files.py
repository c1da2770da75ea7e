"""Reports over HTTP, opened again by what people open them with."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.campaign_shapes import COLUMNS, EOD, RAW, Json
from app.web.api import workbooks
from app.web.api.campaign_files import cell, csv_lines, defused, json_lines
from tests.app.web import campaign_made as made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, visit


def report(path: str, backend: FakeBackend | None = None) -> tuple[str, bytes]:
    async def steps(client: Client) -> tuple[str, bytes]:
        response = await client.get(path)
        assert response.status == 200
        return response.content_type, await response.read()

    return visit(steps, backend)


@pytest.mark.parametrize("kind", ["raw", "eod"])
def test_a_report_says_the_same_in_every_format(kind: Any) -> None:
    backend = FakeBackend()
    path = f"/api/campaigns/reports/{kind}?day={made.DAY}&format="
    items = json.loads(get(path + "json", backend)[1])["items"]
    media, text = report(path + "csv", backend)
    assert media == "text/csv"
    rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS[kind])
    assert rows == [{name: str(cell(item[name])) for name in COLUMNS[kind]} for item in items]
    assert rows[0]["campaign"] == "'=dues"
    assert items[0]["campaign"] == "=dues"
    media, content = report(path + "xlsx", backend)
    assert media.endswith("spreadsheetml.sheet")
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    read = [["" if value is None else str(value) for value in row] for row in sheet.values]
    assert read == [list(COLUMNS[kind]), *(list(row.values()) for row in rows)]
    assert {one.data_type for line in sheet.iter_rows() for one in line} <= {"s", "n"}
    assert backend.asked[-1] == ("report", (kind, made.DAY, None))


def test_an_empty_report_has_its_columns() -> None:
    backend = FakeBackend("none")
    path = "/api/campaigns/reports/eod?format="
    assert report(path + "csv", backend)[1] == ",".join(EOD).encode() + b"\r\n"
    assert json.loads(report(path + "json", backend)[1]) == {"items": []}
    sheet = openpyxl.load_workbook(io.BytesIO(report(path + "xlsx", backend)[1])).active
    assert sheet is not None
    assert [list(row) for row in sheet.values] == [list(EOD)]


def test_what_does_not_fit_a_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "SHEET_ROWS", 1_001)
    content = report("/api/campaigns/reports/raw?format=xlsx", FakeBackend("big"))[1]
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert [sheet.title for sheet in book] == ["raw", "raw 2", "raw 3"]
    assert [sheet.max_row for sheet in book] == [1_001, 1_001, 501]
    numbers = [row[4] for sheet in book for row in list(sheet.values)[1:]]
    assert numbers == [made.raw_row(n)["number"] for n in range(2_500)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"), ("+cmd", "'+cmd"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("=", "'="), ("+", "'+"), ("-", "'-"),
        ("+919876543210", "+919876543210"), ("-12.5", "-12.5"), ("+1e9", "+1e9"), ("-.5", "-.5"),
        ("+91 98765", "'+91 98765"), ("-1\n", "'-1\n"), ("+٣", "'+٣"), ("a=1", "a=1"), ("", ""),
        (" =1", " =1"), ("'=1", "'=1"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_defused(text: str, shown: str) -> None:
    assert defused(text) == shown


@given(st.lists(st.text(max_size=8), max_size=4))
def test_no_cell_of_a_file_is_a_formula(texts: list[str]) -> None:
    rows = [dict.fromkeys(RAW, text) for text in texts]

    async def made() -> bytes:
        return b"".join([piece async for piece in csv_lines(RAW, _rows(rows))])

    content = asyncio.run(made()).decode("utf-8", "surrogatepass")
    for row in list(csv.reader(io.StringIO(content, newline="")))[1:]:
        for value in row:
            if value[:1] in ("=", "+", "-", "@", "\t", "\r"):
                float(value)  # wholly a number


def test_json_is_whole_however_long() -> None:
    rows: list[Json] = [{"n": n, "text": "x" * 1_000} for n in range(500)]

    async def pieces() -> list[bytes]:
        return [piece async for piece in json_lines(_rows(rows))]

    found = asyncio.run(pieces())
    assert len(found) > 5
    assert json.loads(b"".join(found)) == {"items": rows}


async def _rows(rows: list[Any]) -> AsyncIterator[Json]:
    for row in rows:
        yield row
