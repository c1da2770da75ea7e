"""Dashboards in the browser: read, changed and taken along, by keyboard and on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.app.web.fake import Size
from tests.browser import looks
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]


def test_a_dashboard_is_found_and_changed_by_keyboard(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url)
    page.wait_for_load_state()
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page).to_have_title("Metrics · Sluice")
    page.wait_for_load_state()
    page.locator("#boards a").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Growth · Sluice")
    page.wait_for_load_state()
    heard = looks.listen(page)
    page.keyboard.press("/")
    expect(page.get_by_label("Grain")).to_be_focused()
    page.get_by_label("Grain").select_option("month")
    page.wait_for_url("**/dashboards/growth?grain=month")
    page.get_by_label("Range").select_option("365d")
    page.wait_for_url("**/dashboards/growth?grain=month&range=365d")
    expect(page.locator("#widget-0 h2")).to_contain_text("by month, 365d")
    assert "grain=month" in (page.get_by_role("link", name="PDF").get_attribute("href") or "")
    page.get_by_role("link", name="As it is defined").click()
    expect(page.locator("#widget-0 h2")).to_contain_text("by day, 30d")
    assert heard == []


@pytest.mark.parametrize("script", [True, False])
def test_every_chart_is_a_picture_with_words_and_a_table(
    consoles: Consoles, open_page: Open, script: bool
) -> None:
    page = open_page(consoles("big").url + "/dashboards/growth", script=script)
    charts = page.locator("svg.drawn:visible")
    assert charts.count() == 6
    first = charts.first.get_attribute("aria-label") or ""
    assert first.startswith("Visits. Line chart, ") and "and 6 more" in first
    page.locator("#widget-0 summary").click()
    assert page.locator("#widget-0 tbody tr").count() == 100
    assert "The newest 100 of 372" in page.locator("#widget-0").inner_text()


def test_a_phone_has_charts_that_can_be_read(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("big").url + "/dashboards/growth", width=360, theme="dark")
    chart = page.locator("#widget-0 svg:visible")
    expect(chart).to_have_count(1)
    size = page.evaluate(
        "document.querySelector('#widget-0 svg.hand text').getBoundingClientRect().height"
    )
    assert size >= 11
    assert looks.beyond(page) <= 0


def test_series_have_their_colours_in_both_themes(consoles: Consoles, open_page: Open) -> None:
    seen = set()
    for theme in ("light", "dark"):
        page = open_page(consoles("little").url + "/dashboards/growth", theme=theme)
        for n in range(3):
            seen.add(page.evaluate(
                f"getComputedStyle(document.querySelector('svg.desk .line.s{n}')).stroke"
            ))  # fmt: skip
    assert len(seen) == 6 and "none" not in seen


@pytest.mark.parametrize("name", ["Excel", "PDF", "CSV of Visits"])
def test_figures_are_taken_along(consoles: Consoles, open_page: Open, name: str) -> None:
    page = open_page(consoles("little").url + "/dashboards/growth?range=7d")
    with page.expect_download() as coming:
        page.get_by_role("link", name=name, exact=True).click()
    assert coming.value.path().stat().st_size > 500
    assert coming.value.suggested_filename.startswith("growth")


def test_a_source_is_fetched_now(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/dashboards", width=360)
        expect(page.locator("#answer")).to_have_text("1 of 2 sources is failing.")
        page.get_by_role("link", name="stars").last.click()
        page.get_by_label("From").fill("yesterday")
        page.get_by_role("button", name="Fetch stars").click()
        expect(page.get_by_role("alert").first).to_contain_text("expected a date")
        page.get_by_label("From").fill("2024-01-01")
        page.get_by_label("To, exclusive").fill("2024-01-02")
        page.get_by_role("button", name="Fetch stars").click()
        expect(page.get_by_role("alert")).to_contain_text("has no history")
        assert console.backend.fetches == []
        page.get_by_label("From").fill("")
        page.get_by_label("To, exclusive").fill("")
        page.get_by_role("button", name="Fetch stars").click()
        expect(page.locator("#fetch")).to_contain_text("Fetched 1 page with 1 record.")
        assert console.backend.fetches == [("stars", None, None, False)]
        assert looks.violations(page) == []
