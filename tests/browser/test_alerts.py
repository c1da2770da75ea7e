"""Alerts in the browser: found, seen to and silenced, at a desk and on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.app.web.fake import Size
from tests.app.web.made import NOW_MS
from tests.browser import looks
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]


def test_alerts_are_found_from_metrics_and_say_what_they_told(
    consoles: Consoles, open_page: Open
) -> None:
    page = open_page(consoles("little").url + "/dashboards")
    expect(page.locator("#alerts")).to_have_text("Alerts: 1 of 2 alerts has started.")
    page.locator("#alerts").get_by_role("link", name="Alerts").click()
    expect(page).to_have_title("Alerts · Sluice")
    expect(page.locator("#answer")).to_have_text("1 of 2 alerts has started.")
    first = page.locator("#alerts tbody tr").first
    expect(first).to_contain_text("github.stars is at 101.5, the high mark is 100")
    expect(page.locator("#digests")).to_contain_text("daily is not delivered to ann@example.com")
    first.get_by_role("link").first.click()
    expect(page.locator("#answer")).to_have_text("github.stars is at 101.5, the high mark is 100.")


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (360, "dark")])
def test_an_alert_is_acknowledged_and_silenced(open_page: Open, width: int, theme: str) -> None:
    with Console("little") as console:
        page = open_page(console.url + "/alerts/too-high", width=width, theme=theme)
        page.get_by_role("button", name="Acknowledge too-high").click()
        expect(page.locator("p.done")).to_contain_text("You see to it")
        expect(page.locator("#alert")).not_to_contain_text("nobody")
        page.get_by_label("For", exact=True).select_option("until")
        page.get_by_label("Until").fill("tomorrow")
        page.get_by_role("button", name="Silence too-high").click()
        expect(page.get_by_role("alert")).to_contain_text("expected a date like")
        page.get_by_label("For", exact=True).select_option("8h")
        page.get_by_role("button", name="Silence too-high").click()
        expect(page.locator("p.done")).to_contain_text("Nobody is told for that time")
        said = console.backend.alert_changes["too-high"]
        assert said["acknowledged_by"]
        assert 0 <= said["silent_until_ms"] - NOW_MS - 8 * 3_600_000 < 3_600_000
        page.get_by_label("For", exact=True).select_option("now")
        page.get_by_role("button", name="Silence too-high").click()
        expect(page.locator("p.done")).to_contain_text("People are told again")
        assert looks.violations(page) == [] and looks.beyond(page) <= 0
