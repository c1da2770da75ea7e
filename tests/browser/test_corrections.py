"""What billing lost or got wrong, mended in the console: by keyboard, on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.app.web.fake import Size
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]


def within(page: Page, width: int) -> bool:
    wide: int = page.evaluate("document.documentElement.scrollWidth")
    return wide <= width


@pytest.mark.parametrize("width", [1440, 360])
def test_days_are_walked_and_an_aggregator_chosen(
    consoles: Consoles, open_page: Open, width: int
) -> None:
    page = open_page(consoles("little").url + "/sessions", width)
    page.get_by_role("link", name="Day by day").click()
    expect(page.locator("#answer")).to_contain_text("came in so far today")
    page.wait_for_load_state()  # a choice is taken once the page's script has run
    page.get_by_role("combobox", name="Aggregator").select_option("")
    expect(page.locator("#totals h2")).to_have_count(2)
    page.get_by_role("link", name="Day before").click()
    expect(page.locator("h1")).to_contain_text("2025-11-02")
    page.get_by_label("Day", exact=True).fill("2025-10-30")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("2025-10-30")
    assert within(page, width)
    page.wait_for_load_state()  # keys work once the page's script has run
    page.keyboard.press("Escape")
    expect(page).to_have_title("Sessions · Sluice")


@pytest.mark.parametrize(("width", "script"), [(1440, True), (360, False)])
def test_a_flush_is_sent_again_with_a_reason(open_page: Open, width: int, script: bool) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/sessions", width, script=script)
        page.locator("table.rows a").first.click()
        page.locator("#flushes a").first.click()
        page.get_by_role("link", name="Send it again").click()
        expect(page.locator("#answer")).to_contain_text("will be sent again, byte for byte.")
        page.get_by_role("button", name="Send 1 flush again").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        assert console.backend.resent == []
        page.get_by_role("textbox", name="Reason").fill("billing lost it")
        page.keyboard.press("Enter")
        expect(page.locator("#answer")).to_have_text(
            "Sent again; its newest copy is aggregates 1/7."
        )
        page.reload()
        ((_, change),) = console.backend.resent
        assert change.reason == "billing lost it"
        assert within(page, width)


@pytest.mark.parametrize(("width", "script"), [(1440, True), (360, False)])
def test_an_event_is_taken_back_after_a_dry_run(open_page: Open, width: int, script: bool) -> None:
    with Console("little") as console:
        address = "/sessions/retract?aggregator=data-per-account"
        page = open_page(console.url + address, width, script=script)
        page.get_by_role("textbox", name="Event id").fill("e-1")
        page.keyboard.press("Enter")
        expect(page.locator("#answer")).to_contain_text("will be taken back")
        assert console.backend.retracted == []
        page.get_by_role("button", name="Take 1 event back").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        assert console.backend.retracted == []
        assert within(page, width)
        page.get_by_role("textbox", name="Reason").fill("charged twice")
        page.get_by_role("button", name="Take 1 event back").click()
        expect(page.locator("#answer")).to_have_text("Taken back.")
        page.reload()
        assert console.backend.retracted == [("data-per-account", "e-1", {}, "charged twice")]
