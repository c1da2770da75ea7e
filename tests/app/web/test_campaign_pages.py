"""Campaigns in the console as plain HTML: the day, a campaign, its FDDs, with any data."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from app.backend import Unavailable
from app.campaign_shapes import Json
from app.shapes import Page
from app.web import marks, pages
from app.web.pages import shell
from connectors.stores.base import StoreUnavailable
from tests.app.web import made_campaigns as made
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.fake import Size
from tests.app.web.site import get, page

ONE = f"/campaigns/{made.request_id(0)}"
FDD = f"/fdds/{made.fdd_id(0, 2)}"
ALL = ("/campaigns", ONE, f"{ONE}/fdds", f"{ONE}/rejections", f"{ONE}/negatives", FDD, "/fdds")


@pytest.mark.parametrize("size", ["none", "little", "big"])
def test_the_day_stands_with_any_amount_of_data(size: Size) -> None:
    html = page("/campaigns", CampaignsShown(size))
    assert "<title>Campaigns · Sluice</title>" in html
    assert re.findall(r'aria-current="page">([^<]+)<', html) == ["Campaigns"]
    assert html.count("<tr id=") == {"none": 0, "little": 4, "big": 50}[size]
    assert len(html) < 100_000


def test_campaigns_stand_between_sessions_and_configuration() -> None:
    assert [(item.name, item.letter) for item in pages.PAGES if item.letter in "scn"] == [
        ("Sessions", "s"),
        ("Campaigns", "c"),
        ("Configuration", "n"),
    ]


def test_the_answer_is_the_four_tabs_of_the_whole_day_whatever_is_looked_for() -> None:
    answer = "Today: 44 uploaded, 31 attempted, 5 negative, 41 pending."
    for query in ("", "?q=dues", "?status=Cancelled", "?q=nobody"):
        assert answer in page(f"/campaigns{query}", CampaignsShown())


def test_filters_are_in_the_address_and_go_along_when_paging() -> None:
    html = unescape(page("/campaigns?status=Scheduled&day=2025-11-03", CampaignsShown("big")))
    assert "Completed</span>" not in html
    assert "/campaigns?day=2025-11-03&status=Scheduled&cursor=50" in html
    assert "No campaign of this day matches" in page("/campaigns?q=nobody", CampaignsShown())


def test_without_anything_it_says_what_to_do() -> None:
    assert "sluice config apply my-flow.yaml" in page("/campaigns", CampaignsShown("none"))
    assert "sluice config apply my-flow.yaml" in page("/campaigns/upload", CampaignsShown("none"))
    html = page("/campaigns?day=2026-01-01", CampaignsShown())
    assert "sluice campaigns upload people.csv --flow reminder" in html


def test_a_day_that_is_none_is_a_problem_that_says_what_would_be_right() -> None:
    status, html = get("/campaigns?day=tomorrow", CampaignsShown(), Accept="text/html")
    assert status == 400
    assert "a day like 2025-11-03" in unescape(html)


def test_a_campaign_shows_its_day_by_slot_and_outcome() -> None:
    html = unescape(page(ONE, CampaignsShown("big")))
    assert "Today 3,500,000 of 10,000,000 attempted, 6,500,000 pending." in html
    assert "Failed: 500,000 busy, 500,000 no answer from the executor." in html
    assert "Not made: 250,000 for a duplicate number." in html
    assert f'{ONE}/fdds?slot=10:00-12:00&status=FAILED">1,000,000<' in html.replace("%3A", ":")
    assert len(html) < 40_000


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2025-11-01", "On 2025-11-01 nothing was made: the day was missed."),
        ("2025-11-02", "On 2025-11-02 nothing is made: it is a day off."),
        ("2025-11-04", "On 2025-11-04 nothing is made yet: the day is to come."),
    ],
)
def test_a_day_without_fdds_says_why(day: str, said: str) -> None:
    assert said in page(f"{ONE}?day={day}", CampaignsShown())


def test_buttons_are_those_that_the_server_allows() -> None:
    backend = CampaignsShown()
    buttons = re.findall(r'class="button \w*" href="/campaigns/[^/]+/(\w+)', page(ONE, backend))
    assert buttons == ["pause", "reschedule", "negatives", "revoke"]
    backend.altered[0] = {"allowed_actions": ["resume", "erase"]}
    buttons = re.findall(r'class="button \w*" href="/campaigns/[^/]+/(\w+)', page(ONE, backend))
    assert buttons == ["resume"]
    assert 'class="button ' not in page(f"/campaigns/{made.request_id(3)}", backend)


def test_a_file_at_work_shows_how_far_it_is_read() -> None:
    html = page(f"/campaigns/{made.request_id(1)}", CampaignsShown())
    assert "The file is being read, 45 % so far." in html
    assert '<progress max="100" value="45"' in html


@pytest.mark.parametrize(
    "away",
    [
        Unavailable("negatives", "MySQL does not answer"),
        StoreUnavailable("mysql://127.0.0.1", "MySQL does not answer"),
    ],
)
def test_a_campaign_stands_while_a_store_is_away_and_its_fdds_say_what_to_do(
    away: Exception,
) -> None:
    backend = CampaignsShown()
    backend.store_failing = away
    html = page(ONE, backend)
    assert "MySQL does not answer" in html
    assert "Today 14 of 40 attempted" in html
    status, html = get(f"{ONE}/fdds", backend, Accept="text/html")
    assert status == 503
    assert "Try again" in html


def test_nobody_knows_what_is_not_there() -> None:
    for path in ("/campaigns/x", "/campaigns/x/fdds", "/campaigns/x/revoke", "/fdds/x"):
        status, html = get(path, CampaignsShown(), Accept="text/html")
        assert (status, "There is no" in html) == (404, True), path


def test_fdds_are_counted_by_the_campaign_and_found_by_the_address() -> None:
    backend = CampaignsShown("big")
    html = page(f"{ONE}/fdds?status=FAILED&slot=10:00-12:00", backend)
    assert "1,000,000 FDDs failed on 2025-11-03, 10:00–12:00." in html
    assert html.count("<tr id=") == 50
    assert "cursor=" in html
    html = page(f"{ONE}/fdds?number=%2B91 98-0000 0002", backend)
    assert 'value="+919800000002"' in unescape(html)
    assert "2 FDDs of this number on 2025-11-03." in html


def test_an_fdd_tells_what_became_of_it_and_every_rule() -> None:
    html = page(FDD, CampaignsShown())
    assert "Failed: busy, after 1 attempt." in html
    for text in (
        "Negative numbers</b> passed",
        "Order</b> ordered",
        "failed: busy",
        "Asia/Kolkata",
    ):
        assert text in html


def test_a_person_is_found_by_number_and_by_an_fdd() -> None:
    html = page("/fdds?number=%2B919800000003", CampaignsShown())
    assert "3 FDDs have this number." in html
    assert ">survey</a>" in html
    like = page(f"/fdds?like={made.fdd_id(0, 3)}", CampaignsShown())
    assert "3 FDDs have this number." in like
    assert "begin with +" in page("/fdds?number=0441234", CampaignsShown())


@pytest.fixture
def fresh_templates() -> Iterator[None]:
    """Templates made for this test alone: usually one process makes them once."""
    shell.environment.cache_clear()
    yield
    shell.environment.cache_clear()


@pytest.mark.usefixtures("fresh_templates")
@pytest.mark.parametrize("path", [*ALL, f"/fdds?like={made.fdd_id(0, 2)}"])
def test_numbers_go_onto_pages_through_one_place(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert marks.phone("+919800000002") == "+919800000002"
    monkeypatch.setitem(marks.FILTERS, "phone", lambda number: "•••")
    html = page(path, CampaignsShown())
    assert not re.search(r"\+91\d|%2B91\d", html.replace("like +919812345678", "").replace(
        'placeholder="+919812345678"', ""))  # fmt: skip


def test_a_page_of_numbers_that_have_all_expired_leads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CampaignsShown()

    async def expired(limit: int, cursor: str | None) -> Page[Json]:
        return Page([], "50" if cursor is None else None)

    monkeypatch.setattr(backend, "do_not_call", expired)
    html = page("/do-not-call", backend)
    assert "there are more" in html
    assert "/do-not-call?cursor=50" in html
    assert "Nobody is on the list." in page("/do-not-call?cursor=50", backend)
