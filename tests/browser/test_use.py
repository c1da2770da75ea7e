"""Using the console: by keyboard, on a phone, without script, while figures change."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from app.backend import Unavailable
from app.shapes import ClockInfo
from tests.app.web import made
from tests.app.web.fake import OPEN, Size
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim()")
    return text


def test_g_and_a_letter_go_to_a_page(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url)
    for letter, title in (
        ("s", "Sessions"),
        ("c", "Campaigns"),
        ("m", "Metrics"),
        ("i", "Impressions"),
        ("n", "Configuration"),
        ("d", "Dead letters"),
        ("o", "Overview"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        expect(page).to_have_title(f"{title} · Sluice")
        page.wait_for_load_state()


def test_the_slash_searches_and_escape_leaves(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url + "/sessions")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="account")).to_be_focused()
    page.keyboard.type("acc-0000002")
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="account")).not_to_be_focused()
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("1 open session matches.")
    assert "group.account=" in page.url
    assert "group.timestamp" not in page.url


def test_arrows_walk_rows_and_enter_opens_one(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url + "/sessions")
    page.locator("table.rows a").first.focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "acc-0000001"
    page.keyboard.press("End")
    assert focused(page) == "acc-0000002"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("acc-0000001")
    page.wait_for_load_state()  # keys work once the page's script has run
    page.keyboard.press("Escape")
    expect(page).to_have_title("Sessions · Sluice")


def test_the_first_tab_skips_to_the_content(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_focus_can_be_seen(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_menu_of_a_phone_opens_and_closes(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url, width=360)
    assert not page.locator("nav").is_visible()
    page.get_by_role("link", name="Menu").click()
    expect(page.locator("nav")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("nav")).not_to_be_visible()
    page.get_by_role("link", name="Menu").click()
    page.locator("nav").get_by_text("Sessions").click()
    expect(page).to_have_title("Sessions · Sluice")


@pytest.mark.parametrize("width", [1440, 360])
def test_everything_is_there_without_script(
    consoles: Consoles, open_page: Open, width: int
) -> None:
    page = open_page(consoles("little").url + "/sessions", width, script=False)
    page.get_by_role("textbox", name="account").fill("acc-0000002")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#answer")).to_have_text("1 open session matches.")
    page.locator("table.rows a").first.click()
    expect(page.locator("#answer")).to_contain_text("due in")


def test_figures_change_in_place_and_focus_stays(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url)
        page.locator("#figures a").first.focus()
        page.evaluate("window.same = true")
        console.backend.trouble = [made.TROUBLE]
        expect(page.locator("#troubles")).to_contain_text("Start w-2 again")
        expect(page.locator("#answer")).to_contain_text("One thing needs you")
        assert focused(page) == str(OPEN["little"])
        console.backend.trouble = [replace(made.TROUBLE, what="Worker w-3 is gone")]
        expect(page.locator("#troubles")).to_contain_text("w-3")
        console.backend.trouble = []
        expect(page.locator("#troubles")).to_have_text("")
        assert page.evaluate("window.same") is True


def test_a_page_says_when_its_figures_are_not_current(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url)
        console.backend.failing = Unavailable("partition 3", "its owner starts")
        expect(page.locator("#connection")).to_contain_text("Figures are not current since")
        console.backend.failing = None
        expect(page.locator("#connection")).to_have_text("")


def test_a_lost_connection_is_told(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url)
        page.wait_for_function("document.querySelector('#connection').textContent === ''")
    expect(page.locator("#connection")).to_contain_text("Connection lost since")


def test_times_are_in_the_viewers_zone_with_utc_beside(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("little").url + "/dead-letters/dl-000001")
    time = page.locator("dd time").first
    expect(time).to_have_text("2025-11-03 05:28:00 UTC+1")
    assert time.get_attribute("data-utc") == "2025-11-03 04:28:00.000 UTC"
    time.focus()
    shown = page.evaluate("getComputedStyle(document.querySelector('dd time'), '::after').content")
    assert "04:28:00.000 UTC" in shown


def test_a_trial_clock_that_stands_makes_relative_times_stand(open_page: Open) -> None:
    with Console("little") as console:
        console.backend.clock_shown = ClockInfo(made.NOW_MS, trial=True, speed=0)
        page = open_page(console.url)
        expect(page.locator(".trial")).to_contain_text("time stands still")
        page.evaluate("new Promise(done => setTimeout(done, 2500))")
        assert "in 12 s" in page.locator("#aggregators").inner_text()


def test_a_document_is_changed_tried_and_applied(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/configuration/aggregator/data-per-account")
        page.get_by_role("link", name="Change or try it").click()
        text = page.locator("#document").input_value()
        page.locator("#document").fill(text + "ttl_days: 0\n")
        page.get_by_role("button", name="Check").click()
        expect(page.locator(".problems")).to_contain_text("ttl_days")
        page.locator("#document").fill(text + "ttl_days: 30\n")
        page.locator("#records").fill('{"account": "X"}')
        page.get_by_role("button", name="Try the records").click()
        expect(page.get_by_text("1 record: 1 session")).to_be_visible()
        page.locator("#reason").fill("kept shorter")
        page.get_by_role("button", name="Apply version 4").click()
        expect(page.locator("#status")).to_have_text("Version 4 is in force on 1 worker.")
        expect(page.locator(".versions")).to_contain_text("kept shorter")


def test_a_document_is_tried_against_history(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/configuration/apply?kind=aggregator&name=data-per-account")
        page.locator("#since").fill("7d")
        page.get_by_role("button", name="Try against history").click()
        expect(page.locator("#answer")).to_contain_text("602,275 of 1,204,551")
        page.evaluate("window.same = true")
        console.backend.finish_preview()
        expect(page.locator("#answer")).to_contain_text("3 groups of 123 would have been flushed")
        expect(page.get_by_role("button", name="Stop")).not_to_be_visible()
        expect(page.locator("#result")).to_contain_text("flushed otherwise")
        assert page.evaluate("window.same") is True
        page.get_by_role("button", name="Change or apply it").click()
        expect(page.locator("#document")).to_have_value(re.compile("name: data-per-account"))
        expect(page.locator("#since")).to_have_value("7d")


def test_a_preview_is_stopped_without_script(open_page: Open) -> None:
    with Console("little") as console:
        address = "/configuration/apply?kind=aggregator&name=data-per-account"
        page = open_page(console.url + address, 360, script=False)
        page.get_by_role("button", name="Try against history").click()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#answer")).to_contain_text("It was stopped")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_flush_leads_to_the_records_it_was_made_of(
    consoles: Consoles, open_page: Open, width: int
) -> None:
    page = open_page(consoles("little").url + "/sessions", width)
    page.locator("table.rows a").first.click()
    page.locator("#flushes a").first.click()
    expect(page.locator("#answer")).to_contain_text("Made of")
    expect(page.locator("table.rows")).to_contain_text("duplicate, not counted")
    page.wait_for_load_state()  # keys work once the page's script has run
    page.keyboard.press("Escape")
    expect(page.locator("#flushes")).to_be_visible()


def test_letters_are_replayed_after_a_dry_run(open_page: Open) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/dead-letters?reason=not_a_number")
        page.get_by_role("link", name="Replay these").click()
        expect(page).to_have_title(re.compile("^Replay"))
        expect(page.locator(".answer")).to_have_text("1 letter will be applied.")
        page.get_by_role("link", name="Leave them").click()
        page.get_by_role("link", name="Show all").click()
        page.get_by_role("link", name="Replay all").click()
        expect(page.locator(".answer")).to_contain_text("4 letters will be applied, 1 is refused")
        expect(page.locator("#stays-undecodable")).to_contain_text("1")
        assert console.backend.replays == []
        page.get_by_label("Reason").fill("the document is mended")
        page.get_by_role("button", name="Replay 5 letters").click()
        expect(page.locator(".done")).to_contain_text("4 letters replayed, 1 refused again.")
        expect(page.locator("#letters")).to_contain_text("replayed")
        ((where, change),) = console.backend.replays
        assert (where, change.reason) == ({}, "the document is mended")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_session_is_flushed_with_a_reason(open_page: Open, width: int) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/sessions?group.account=acc-0000001", width)
        page.locator("table.rows a").first.click()
        page.get_by_role("link", name="Flush, delete or set the timeout").click()
        expect(page.locator("#answer")).to_have_text("1 session with 40 records is meant.")
        page.get_by_role("button", name="Flush 1 session").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        assert console.backend.commands == []
        page.get_by_role("textbox", name="Reason").fill("asked for by billing")
        page.get_by_role("button", name="Flush 1 session").click()
        expect(page.locator("#answer")).to_have_text("Flushed 1 session.")
        page.reload()
        ((_, action, asked, change),) = console.backend.commands
        assert (action, change.reason) == ("flush", "asked for by billing")
        assert asked["group"] == {
            "account": "acc-0000001", "product.code": made.PRODUCTS[1], "timestamp": "2025-11",
        }  # fmt: skip
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
