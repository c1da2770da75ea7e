"""A dashboard as PDF and Excel with its charts, compared with its page."""

import io
import re

import openpyxl
import pypdf
import pytest

from tests.app.web import made_figures
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.site import Client, page, problem, visit

BOARD = "/api/metrics/dashboards/growth"


def taken(path: str, backend: CampaignsShown | None = None) -> bytes:
    async def steps(client: Client) -> bytes:
        response = await client.get(path)
        assert response.status == 200, await response.text()
        if path.partition("?")[0].endswith(".pdf"):
            assert response.content_type == "application/pdf"
            assert "growth.pdf" in response.headers["Content-Disposition"]
        return await response.read()

    return visit(steps, backend or CampaignsShown("big"))


def words(content: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return "\n".join(sheet.extract_text() for sheet in pages)


def test_a_pdf_has_what_the_page_has() -> None:
    text = words(taken(f"{BOARD}.pdf"))
    html = page("/dashboards/growth", CampaignsShown("big"))
    for widget in made_figures.BOARD["widgets"]:
        assert widget["title"] in text
    assert "Nothing was heard of shop.nothing yet." in text
    assert "Kraków" in text and "so far" in text
    table = html[html.index('id="widget-8"') :]
    rows = re.findall(r"<tr><td>([^<]*)", table)
    assert rows and all(row.strip() in text for row in rows)
    numbers = re.findall(r'<td class="n[^>]*>([^<]*)</td>', table)
    assert len(numbers) > 100 and all(number in text for number in numbers)


def test_a_pdf_draws_its_charts_and_holds_no_picture() -> None:
    reader = pypdf.PdfReader(io.BytesIO(taken(f"{BOARD}.pdf")))
    assert all(not list(sheet.images) for sheet in reader.pages)
    contents = [sheet.get_contents() for sheet in reader.pages]
    drawn = sum(bytes(one.get_data()).count(b" l ") for one in contents if one is not None)
    assert drawn > 300


def test_the_same_figures_are_the_same_file() -> None:
    assert taken(f"{BOARD}.pdf") == taken(f"{BOARD}.pdf")


def test_a_long_table_goes_on_on_further_pages() -> None:
    reader = pypdf.PdfReader(io.BytesIO(taken(f"{BOARD}.pdf?grain=day&range=90d")))
    last = reader.pages[-1].extract_text()
    assert len(reader.pages) >= 5 and "The newest 100 of" in last and "Difference" in last


def test_a_workbook_has_excels_own_charts() -> None:
    book = openpyxl.load_workbook(io.BytesIO(taken(f"{BOARD}.xlsx")))
    kinds = [[type(one).__name__ for one in sheet._charts] for sheet in book]
    assert kinds == [["LineChart"], ["BarChart"], ["PieChart"], ["LineChart"], [], ["LineChart"],
                     ["BarChart"], [], []]  # fmt: skip
    line = book.worksheets[0]._charts[0].series[1]
    where = re.search(r"\$C\$(\d+):\$C\$(\d+)", line.val.numRef.f)
    assert where is not None
    names = {book.worksheets[0].cell(row, 1).value for row in range(int(where[1]), int(where[2]))}
    assert names == {line.tx.strRef.f if line.tx.strRef else line.tx.v} == {"Göteborg"}


def test_a_pies_shares_are_in_its_sheet() -> None:
    book = openpyxl.load_workbook(io.BytesIO(taken(f"{BOARD}.xlsx")))
    sheet = book.worksheets[2]
    head = [cell.value for cell in sheet[1]]
    column = head.index("share") + 1
    found = [sheet.cell(row, column).value for row in range(2, 8)]
    assert found[-1] == "7 others"
    shares = [sheet.cell(row, column + 1).value for row in range(2, 8)]
    values = [sheet.cell(row, head.index("value") + 1).value for row in range(2, sheet.max_row + 1)]
    assert sum(filter(None, shares)) == sum(filter(None, values))


@pytest.mark.parametrize("shape", ["", ".pdf", ".xlsx", "/widgets/0.csv"])
@pytest.mark.parametrize("query", ["grain=minute", "range=soon", "range=1s", "overlay=decade"])
def test_what_is_wrong_with_a_change_is_said(shape: str, query: str) -> None:
    async def steps(client: Client) -> None:
        await problem(await client.get(f"{BOARD}{shape}?{query}"), 400, "bad-parameter")

    visit(steps, CampaignsShown())


def test_a_change_is_for_every_widget_in_every_shape() -> None:
    query = "grain=month&range=200d&overlay=none"
    book = openpyxl.load_workbook(io.BytesIO(taken(f"{BOARD}.xlsx?{query}")))
    assert all("overlay_value" not in [c.value for c in sheet[1]] for sheet in book)
    assert "by month, 200d" in words(taken(f"{BOARD}.pdf?{query}"))
    csv = taken(f"{BOARD}/widgets/5.csv?{query}").decode()
    assert len(csv.splitlines()) == 1 + 8 and "overlay" not in csv
