"""Processes, funnel, usage and tables in the browser: by keyboard, on a phone, without script."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.app.web import made
from tests.app.web.fake import Size
from tests.browser import looks
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]
SPAN = "from=2025-10-01&to=2025-12-01"


@pytest.fixture
def console() -> Iterator[Console]:
    """A console of the test's own, to change things in."""
    with Console("little") as made_one:
        yield made_one


def test_an_error_is_found_by_keyboard_and_read_as_edn(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("big").url)
    heard = looks.listen(page)
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page).to_have_title("Funnel debugger · Sluice")
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("dues-1")
    page.keyboard.press("Enter")
    expect(page.locator("#events tbody tr")).to_have_count(80)
    assert "campaign=dues-1" in page.url
    page.wait_for_load_state()
    page.get_by_label("Label").select_option("error")
    expect(page.locator("#events tbody tr")).to_have_count(20)
    page.get_by_role("link", name="Last hour").click()
    expect(page.locator("#events tbody tr")).to_have_count(5)
    assert "campaign=dues-1" in page.url and "label=error" in page.url
    page.wait_for_load_state()
    page.locator("#events a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("pre")).to_contain_text('"operation": "Error"')
    page.get_by_role("link", name="EDN").click()
    expect(page.locator("pre")).to_contain_text(':operation "Error"')
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    expect(page).to_have_title("Funnel debugger · Sluice")
    assert heard == []


def test_new_events_come_without_reloading_and_older_ones_by_the_page(
    console: Console, open_page: Open
) -> None:
    page = open_page(console.url + "/funnel")
    expect(page.locator("#events tbody tr")).to_have_count(8)
    page.evaluate("window.same = true")
    for n in range(100):
        console.backend.take_event(
            made.NOW_MS + n, kind="funnel", operation="Confirm", campaign="new", customer="p"
        )
    expect(page.locator("#answer")).to_contain_text("The last 100 events")
    expect(page.locator("#events")).to_contain_text("new")
    assert page.evaluate("window.same") is True
    page.get_by_role("link", name="Next 100").click()
    expect(page.locator("#events tbody tr")).to_have_count(8)


@pytest.mark.parametrize(("width", "script"), [(1440, True), (360, False)])
def test_a_figure_of_usage_leads_to_its_events(
    consoles: Consoles, open_page: Open, width: int, script: bool
) -> None:
    page = open_page(f"{consoles('big').url}/usage?{SPAN}", width, script=script)
    expect(page.locator("#answer")).to_contain_text("by 3 active campaigns")
    assert page.locator("svg[role=img]").count() == 3
    page.get_by_role("link", name="Show detail of Sent messages").click()
    expect(page.locator(".answer")).to_have_text("120 in all.")
    expect(page.locator("table.rows tbody tr")).to_have_count(50)
    assert looks.beyond(page) <= 0
    page.get_by_role("link", name="Next 50").click()
    expect(page.locator("table.rows tbody tr")).to_have_count(50)
    assert "from=2025-10-01" in page.url
    page.get_by_label("From").fill("2025-11-03")
    page.get_by_label("Until, not included").fill("2025-11-04")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".answer")).to_have_text("1 in all.")


@pytest.mark.parametrize("width", [1440, 360])
def test_every_worker_has_its_hour_and_what_runs_its_progress(
    consoles: Consoles, open_page: Open, width: int
) -> None:
    page = open_page(consoles("big").url + "/processes", width)
    expect(page.locator("#answer")).to_contain_text("10 things run on 2 workers; 1 gone")
    assert page.locator("#workers .card").count() == 3
    assert page.locator("#workers svg[role=img]").count() == 12
    assert page.locator("#running tbody tr").count() == 10
    assert page.locator("#running progress").count() == 8


@pytest.mark.parametrize("script", [True, False])
def test_an_export_is_cancelled_and_an_upload_can_not_be(
    console: Console, open_page: Open, script: bool
) -> None:
    page = open_page(console.url + "/processes", script=script)
    expect(page.get_by_role("button", name="Cancel", exact=False)).to_have_count(3)
    page.get_by_role("button", name="Cancel export").click()
    expect(page.get_by_role("status").filter(has_text="cancelled")).to_contain_text(
        "Export dues 7 is cancelled"
    )
    assert console.backend.cancelled == ["w-1:export/7"]


def test_a_row_is_found_by_its_key(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url)
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_title("Tables · Sluice")
    page.get_by_role("link", name="sessions", exact=True).click()
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type(made.key_of(1))
    page.keyboard.press("Enter")
    expect(page.locator("table.rows tbody tr")).to_have_count(1)
    page.locator("table.rows a").click()
    expect(page.locator("pre")).to_contain_text('"n": 1')
    expect(page.locator(".answer")).to_contain_text("owned by w-1")
