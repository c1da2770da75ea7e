"""Every page in both themes, at both widths, with no, little and big data."""

from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Response

from tests.app.web.fake import Size
from tests.browser import looks
from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = pytest.mark.browser
LIMIT_BYTES = 300_000
Consoles = Callable[[Size], Console]


@pytest.mark.timeout(900)  # axe takes its time on a machine that does other things
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (360, "dark")])
def test_a_page_weighs_little_is_clean_within_its_width_and_accessible_in_both_themes(
    consoles: Consoles, open_page: Open, width: int, theme: str
) -> None:
    url = consoles("big").url
    page = open_page("about:blank", width, theme)
    heard, answers = looks.listen(page), looks.answers(page)
    weights: dict[str, int] = {}  # address -> bytes; what is kept of an earlier page counts too
    for path in looks.paths("big"):
        answers.clear()
        page.goto(url + path)
        assert 5_000 < weight(answers, weights) < LIMIT_BYTES, path
        assert looks.beyond(page) <= 0, path
        assert looks.violations(page) == [], path
        looks.turn(page, "light" if theme == "dark" else "dark")
        assert looks.beyond(page) <= 0, path
        assert looks.violations(page, looks.CONTRAST) == [], path
        looks.turn(page, theme)
    assert heard == []


def weight(answers: Sequence[Response], known: dict[str, int]) -> int:
    """The bytes of a page and all that is its own, none of it fetched before."""
    own = [a for a in answers if "/vendor/" not in a.url and not looks.is_stream(a)]
    assert len(own) > 5
    known |= {each.url: len(each.body()) for each in own if each.url not in known}
    return sum(known[each.url] for each in own)


@pytest.mark.parametrize("size", ["none", "little"])
def test_a_page_of_few_is_clean_within_its_width_and_all_from_here(
    consoles: Consoles, open_page: Open, size: Size
) -> None:
    url = consoles(size).url
    page = open_page("about:blank")
    heard, asked = looks.listen(page), looks.requests(page)
    for path in looks.paths(size):
        page.goto(url + path)
        for width, theme in ((1440, "light"), (360, "dark")):
            looks.resize(page, width)
            looks.turn(page, theme)
            assert looks.beyond(page) <= 0, (path, width)
            # Little data has the same elements as big.
            assert size == "little" or looks.violations(page) == [], (path, width)
    assert heard == []
    assert asked
    assert [one for one in asked if not one.startswith((url, "data:"))] == []


def test_tables_are_cards_on_a_phone(consoles: Consoles, open_page: Open) -> None:
    page = open_page(consoles("big").url + "/sessions", width=360)
    assert not page.locator("table.rows thead").is_visible()
    shown = page.locator("table.rows tbody tr").first.locator("td:visible:not(.head)")
    assert 2 <= shown.count() <= 4
    assert page.locator("td[data-label='Due']").first.is_visible()


def test_the_chart_is_drawn_and_its_figures_are_a_table_too(
    consoles: Consoles, open_page: Open
) -> None:
    page = open_page(consoles("big").url + "/")
    page.locator(".chart canvas").wait_for()
    assert "173,310" in page.locator(".chart .u-legend").inner_text()
    page.get_by_text("As a table").click()
    assert page.locator(".chart-table tbody tr").count() > 10


def test_the_chart_follows_a_narrower_window_and_never_widens_the_page(
    consoles: Consoles, open_page: Open
) -> None:
    url = consoles("little").url + "/"
    page = open_page("about:blank")
    # The frames in which the chart has not yet heard of its new width, made to last.
    page.add_init_script("window.ResizeObserver = class { observe() {} }")
    page.goto(url)
    page.locator(".chart canvas").wait_for()
    looks.resize(page, 360)
    assert looks.beyond(page) <= 0
    page = open_page(url)
    page.locator(".chart canvas").wait_for()
    looks.resize(page, 360)
    page.wait_for_function("document.querySelector('.chart canvas').clientWidth < 360")
