"""The console of a real `sluice up`: pages are live, a document applied there works."""

import json
import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from scripts.house.processes import free_ports
from tests.browser import looks
from tests.browser.conftest import Open
from tests.end_to_end.server import ROOT, running

pytestmark = pytest.mark.browser
PAGES = ("Overview", "Sessions", "Configuration", "Dead letters")
NAME = "my-data"
INPUT = "my-usage"
DOCUMENT = (ROOT / "docs/tour/data.yaml").read_text()
LIVE_MS = 20_000  # a page refreshes every second or two; the machine does other things too


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console of a server with the examples flowing in."""
    port = free_ports(1)[0]
    with running("./scripts/run up", tmp_path_factory.mktemp("up"), port) as said:
        assert said == f"console on http://127.0.0.1:{port}\n"
        yield f"http://127.0.0.1:{port}"


def number(text: str) -> float:
    """The first number of a text, as the console prints it."""
    found = re.search(r"\d[\d,]*(\.\d+)?", text)
    assert found is not None, text
    return float(found.group().replace(",", ""))


def produce(url: str, *records: dict[str, object]) -> None:
    """Puts records on the input topic of the document."""
    request = urllib.request.Request(
        f"{url}/api/topics/{INPUT}/records?key=account",
        json.dumps(records).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["accepted"] == len(records)


def test_every_page_is_there_and_says_nothing_to_the_log(url: str, open_page: Open) -> None:
    page = open_page("about:blank")
    heard = looks.listen(page)
    page.goto(url)
    for name in PAGES:
        page.locator("nav").get_by_role("link", name=name).click()
        expect(page).to_have_title(f"{name} · Sluice")
        expect(page.locator("h1")).to_have_text(name)
        expect(page.locator("#connection")).to_have_text("", timeout=LIVE_MS)
    assert heard == []


def test_figures_move_while_the_page_stays(url: str, open_page: Open) -> None:
    page = open_page(url)
    expect(page.locator("#aggregators")).to_contain_text("example-data-per-account")
    expect(page.locator("#figures")).to_contain_text(re.compile(r"In\s+[1-9]"), timeout=LIVE_MS)
    page.goto(f"{url}/sessions?aggregator=example-charges-per-account")
    page.evaluate("window.same = true")
    taken_in = page.locator("#totals td[data-label='In']").first
    before = taken_in.inner_text()
    expect(taken_in).not_to_have_text(before, timeout=LIVE_MS)
    assert number(taken_in.inner_text()) > number(before)
    assert page.evaluate("window.same") is True


def test_a_document_applied_here_makes_sessions_and_dead_letters(url: str, open_page: Open) -> None:
    page = open_page("about:blank")
    heard = looks.listen(page)
    apply(page, url)
    produce(
        url,
        {"id": "1", "account": "bob", "bytes": 500, "price": 0.1, "timestamp": "2025-11-03T04:30Z"},
        {"id": "2", "account": "eve", "bytes": "x", "price": 0.1, "timestamp": "2025-11-03T04:30Z"},
    )
    page.get_by_role("link", name="Its sessions").click()
    expect(page.locator("#rows")).to_contain_text("bob", timeout=LIVE_MS)
    page.locator("#rows a", has_text="bob").click()
    expect(page.locator("#answer")).to_contain_text("Open, 1 record, due in")
    expect(page.locator("#session")).to_contain_text("duration 1h")
    page.goto(f"{url}/dead-letters?aggregator={NAME}")
    expect(page.locator("main")).to_contain_text("not_a_number", timeout=LIVE_MS)
    page.locator("#letters a").first.click()
    expect(page.locator("main")).to_contain_text("text 'x' is not a JSON number")
    expect(page.locator("main")).to_contain_text("eve")
    page.goto(f"{url}/sessions?aggregator={NAME}")
    expect(page.locator("#totals")).to_contain_text("Balanced")
    assert heard == []


def apply(page: Page, url: str) -> None:
    """Writes a document in the console, and applies it."""
    text = DOCUMENT.replace("name: tour-data", f"name: {NAME}")
    text = text.replace("input: tour-usage", f"input: {INPUT}").replace("seconds: 30", "hours: 1")
    page.goto(f"{url}/configuration")
    page.get_by_role("link", name="Apply").first.click()
    page.locator("#document").fill(text)
    page.get_by_role("button", name="Check").click()
    page.locator("#reason").fill("a trial")
    page.get_by_role("button", name="Apply version 1").click()
    expect(page.locator("#status")).to_have_text("Version 1 is in force on 1 worker.")
