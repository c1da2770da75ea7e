"""Impressions in a browser: from what has not come to the campaigns of a day; a change of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.app.web.fake import Size
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
Consoles = Callable[[Size], Console]


def test_a_day_leads_to_its_campaigns(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("big").url + "/impressions", width=1280)
    expect(page.locator("#answer")).to_contain_text("The impressions of 2025-11-02 have not come.")
    expect(page.locator("#jobs")).to_contain_text("partition is running")
    page.locator("#days a").first.click()
    expect(page.locator("h1")).to_have_text("2025-11-01")
    expect(page.locator("tbody tr")).to_have_count(40)
    expect(page.locator("tbody tr").first).to_contain_text("campaign_00")


@pytest.mark.parametrize("script", [True, False])
def test_a_change_says_what_it_rewrites_and_wants_a_reason(
    open_page: Open, tmp_path: Path, script: bool
) -> None:
    file = tmp_path / "dim.csv"
    file.write_text("campaign_id,name\ncampaign_01,x\n")
    with Console("little") as console:
        console.backend.records["impression-events"] = []
        page = open_page(console.url + "/impressions", width=360, script=script)
        page.get_by_role("link", name="Change the metadata of campaigns").click()
        page.get_by_label("Dimension file").fill(str(file))
        page.get_by_role("button", name="Show what it would rewrite").click()
        expect(page.locator("#answer")).to_contain_text("An update would rewrite 24 files")
        page.get_by_role("button", name="Rewrite 24 files").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was changed")
        page.get_by_label("Reason").fill("campaign renamed")
        page.get_by_role("button", name="Rewrite 24 files").click()
        expect(page.locator("#answer")).to_contain_text("is asked for")
        (record,) = console.backend.records["impression-events"]
        assert str(file).encode() in (record.value or b"")
