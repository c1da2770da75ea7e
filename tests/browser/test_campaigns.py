"""Campaigns in the browser: uploaded, watched, acted on, by keyboard and without script too."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.web import made_campaigns as made
from tests.app.web.fake import Size
from tests.browser import looks
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]
ONE = looks.CAMPAIGN
OVER = f"/campaigns/{made.request_id(2)}"  # its slots are over, so it can be retriggered


@pytest.fixture
def console() -> Iterator[Console]:
    """A console of the test's own, to change things in."""
    with Console("little") as made_one:
        yield made_one


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A file with a good row and a bad one."""
    path = tmp_path / "people.csv"
    path.write_text("number\n+919800000001\nabc\n")
    return path


def upload(page: Page, people: Path) -> None:
    """Goes the whole way from the list to the campaign."""
    page.get_by_role("link", name="Upload a campaign").click()
    page.locator("input[type=file]").set_input_files(people)
    page.get_by_label("Name").fill("dues")
    page.locator("#slots").fill("10:00-12:00")
    page.get_by_role("button", name="See what it makes").click()
    expect(page.locator(".answer")).to_have_text("This makes 1 FDD, and 1 row is rejected.")
    assert looks.violations(page) == []
    assert looks.beyond(page) <= 0
    page.get_by_label("Reason").fill("the dues of November")
    page.get_by_role("button", name="Upload and make 1 FDD").click()
    expect(page.locator("#done")).to_contain_text("The file is taken.")


@pytest.mark.parametrize(("width", "script"), [(1440, True), (360, True), (360, False)])
def test_a_file_is_looked_through_uploaded_and_watched(
    console: Console, open_page: Open, people: Path, width: int, script: bool
) -> None:
    page = open_page(console.url + "/campaigns", width, script=script)
    if script:
        upload(page, people)
        expect(page.locator("#answer")).to_contain_text("The file is being read, 45 % so far.")
        page.evaluate("window.same = true")
        upload_now = {"accepted": 10, "rejected": 1, "duplicates": 0, "progress": 1.0}
        flags = {"processing": False, "running": True, "paused": False, "retriggered": False}
        console.backend.altered[1] = {"upload": upload_now, "flags": flags}
        expect(page.locator("#answer")).to_contain_text("Today 7 of 10 attempted, 3 pending.")
        assert page.evaluate("window.same") is True
    else:
        page.get_by_role("link", name="Upload a campaign").click()
        page.locator("input[type=file]").set_input_files(people)
        page.get_by_label("Name").fill("dues")
        page.get_by_role("button", name="See what it makes").click()
        page.get_by_label("Reason").fill("the dues of November")
        page.get_by_role("button", name="Upload and make 1 FDD").click()
        expect(page.locator("#done")).to_contain_text("The file is taken.")
    ((description, filename, _, change),) = console.backend.given
    assert (description["name"], filename, change.reason) == (
        "dues",
        "people.csv",
        "the dues of November",
    )


@pytest.mark.parametrize("width", [1440, 360])
def test_a_retrigger_says_what_it_will_do_and_then_what_it_did(
    console: Console, open_page: Open, width: int
) -> None:
    console.backend.prompt_campaigns = False
    page = open_page(console.url + OVER, width)
    page.get_by_role("link", name="Retrigger").click()
    expect(page.locator(".answer")).to_have_text("412 FDDs will be queued again.")
    page.get_by_label("partial").uncheck()
    page.get_by_label("busy").check()
    page.get_by_role("button", name="See what it would do").click()
    expect(page).to_have_url(re.compile("failed=BUSY"))
    page.get_by_label("Reason").fill("the lines were down")
    page.get_by_role("button", name="Retrigger 412 FDDs").click()
    expect(page.locator("#done")).to_contain_text("durable and at work")
    console.backend.finish_commands()
    expect(page.locator("#done")).to_contain_text("412 FDDs queued again.")
    ((_, action, body, change),) = console.backend.changes
    assert (action, change.reason) == ("retrigger", "the lines were down")
    assert (body["statuses"], body["failed"]) == (["IN_PROGRESS"], ["OUT_OF_SLOT", "BUSY"])


def test_a_campaign_is_revoked_by_keyboard_only(console: Console, open_page: Open) -> None:
    page = open_page(console.url)
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_title("Campaigns · Sluice")
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("dues")
    page.keyboard.press("Enter")
    expect(page.locator("table.rows tbody tr")).to_have_count(1)
    page.wait_for_load_state()
    page.locator("table.rows a").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("dues · Sluice")
    tab_to(page, "Revoke")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_text("412 FDDs will be revoked.")
    tab_to(page, "reason")
    page.keyboard.type("called off")
    tab_to(page, "Revoke 412 FDDs")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_contain_text("412 FDDs revoked.")
    assert [change.reason for _, _, _, change in console.backend.changes] == ["called off"]
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    expect(page).to_have_title("Campaigns · Sluice")


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element of that text or id has the focus, and it can be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(
            "name => document.activeElement.id === name"
            " || document.activeElement.textContent.trim() === name",
            name,
        ):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
            return
    raise AssertionError(f"Tab does not get to {name}")


def test_negatives_come_as_a_file(console: Console, open_page: Open, people: Path) -> None:
    page = open_page(console.url + ONE, 360)
    page.get_by_role("link", name="Negatives").click()
    page.locator("input[type=file]").set_input_files(people)
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".answer")).to_contain_text("will become negative")
    assert looks.violations(page) == []
    page.locator("#reason").fill("asked not to be called")
    page.get_by_role("button", name="Add 2 negatives").click()
    expect(page.locator("#done")).to_contain_text("became negative")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_count_leads_to_its_rows_a_row_to_its_thing_and_that_to_its_why(
    consoles: Consoles, open_page: Open, width: int
) -> None:
    page = open_page(consoles("big").url + "/campaigns", width)
    page.get_by_role("link", name="dues", exact=True).click()
    page.locator("#slots").get_by_role("link", name="1,000,000").first.click()
    expect(page.locator(".answer")).to_have_text(
        "1,000,000 FDDs failed on 2025-11-03, 10:00–12:00."
    )
    page.locator("table.rows a").first.click()
    expect(page.locator("#answer")).to_contain_text("Failed: busy, after 1 attempt.")
    expect(page.locator("#why")).to_contain_text("Negative numbers passed")
    page.get_by_role("link", name="This person in all campaigns").click()
    expect(page.locator("#answer")).to_contain_text("this number")
    page.go_back()
    page.go_back()
    expect(page.locator(".answer")).to_contain_text("1,000,000 FDDs failed")


def test_actions_stay_within_reach_of_a_thumb(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("big").url + ONE, 360)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = page.get_by_role("link", name="Pause").bounding_box()
    assert box is not None
    assert 0 < box["y"] < 740


@pytest.mark.parametrize("width", [1024, 1280])
def test_tables_stay_within_their_columns(consoles: Consoles, open_page: Open, width: int) -> None:
    page = open_page("about:blank", width)
    one, fdd = ONE, f"/fdds/{made.fdd_id(0, 2)}"
    for path in ("/campaigns", one, f"{one}/fdds", f"{one}/rejections", "/campaigns/upload", fdd):
        page.goto(consoles("big").url + path)
        beyond = page.evaluate(
            "[...document.querySelectorAll('main table')].filter(t =>"
            " t.getBoundingClientRect().right > t.parentElement.getBoundingClientRect().right + 24)"
            ".length"
        )
        assert beyond == 0, path


def test_slots_are_in_the_flows_zone_and_other_times_in_the_viewers(
    consoles: Consoles, open_page: Open
) -> None:
    page = open_page(consoles("little").url + f"/fdds/{made.fdd_id(0, 2)}")
    expect(page.locator("h1")).to_contain_text("10:00–12:00 Asia/Kolkata")
    expect(page.locator("dd time").first).to_have_text("2025-11-03 05:30:00 UTC+1")


@pytest.mark.parametrize("width", [1440, 360])
def test_numbers_are_listed_and_taken_off_the_do_not_call_list(
    console: Console, open_page: Open, people: Path, width: int
) -> None:
    page = open_page(console.url + "/campaigns", width)
    page.get_by_role("link", name="Do not call").click()
    page.locator("input[type=file]").set_input_files(people)
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".answer")).to_contain_text("will become negative")
    assert looks.violations(page) == []
    assert looks.beyond(page) <= 0
    page.locator("#reason").fill("asked not to be called")
    page.get_by_role("button", name="List 2 numbers").click()
    expect(page.locator(".answer")).to_contain_text("Listed")
    expect(page.locator("table.rows")).to_contain_text("asked not to be called")
    assert looks.violations(page) == []
    assert looks.beyond(page) <= 0
    page.get_by_text("Take a number off").click()
    page.get_by_role("textbox", name="Number").fill("+919800000001")
    page.locator("#remove-reason").fill("a mistake")
    page.get_by_role("button", name="Take 1 number off").click()
    expect(page.locator(".answer")).to_contain_text("Taken off")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_person_is_erased_with_a_reason(console: Console, open_page: Open, width: int) -> None:
    page = open_page(console.url + "/campaigns", width)
    page.get_by_role("link", name="Erase").click()
    page.get_by_label("Number").fill("+919800000001")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".answer")).to_contain_text("will be erased")
    assert looks.violations(page) == []
    assert looks.beyond(page) <= 0
    page.locator("#reason").fill("asked us to")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.locator(".answer")).to_contain_text("Erased for good")
    assert [body for _, _, body, _ in console.backend.changes] == [{"number": "+919800000001"}]
