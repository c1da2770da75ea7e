"""A real browser and consoles on made-up data for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.app.web.fake import Size
from tests.browser import looks
from tests.browser.console import Console
from tests.waiting import PATIENCE_S

Open = Callable[..., Page]

# as `tests.waiting` has it; Playwright's own 5 s are short for a machine that does other things
expect.set_options(timeout=PATIENCE_S * 1000)


# Playwright keeps an event loop running while it is there: only as long as a file of tests, so
# that tests of other files can run theirs.
@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The machine's Chromium."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def consoles() -> Iterator[Callable[[Size], Console]]:
    """Consoles by the size of their data, each started when it is first asked for."""
    running: dict[Size, Console] = {}
    with ExitStack() as stack:

        def console(size: Size) -> Console:
            if size not in running:
                running[size] = stack.enter_context(Console(size))
            return running[size]

        yield console


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a page in a visit of its own: `open_page(url, width=360, theme="dark", ...)`."""
    with ExitStack() as stack:

        def opened(url: str, width: int = 1440, theme: str = "light", script: bool = True) -> Page:
            visit = browser.new_context(
                viewport={"width": width, "height": looks.height(width)},
                color_scheme="dark" if theme == "dark" else "light",
                timezone_id="Europe/Stockholm",
                java_script_enabled=script,
            )
            stack.callback(visit.close)
            page = visit.new_page()
            page.goto(url)
            return page

        yield opened
