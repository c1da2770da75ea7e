"""The pages of the console as plain HTML, with no, little and big data, and their live pieces."""

import asyncio
import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import pytest

from app.backend import Unavailable
from app.shapes import ClockInfo, Overview, Page, SessionRow
from app.web import pages
from app.web.pages import shell
from tests.app.web import made, made_campaigns
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.fake import FakeBackend, Size
from tests.app.web.site import PERSON, Client, get, page, visit

ONE = "/sessions/one?aggregator=data-per-account&key=" + "%5B%22acc-0000001%22%5D"
LISTS = ("/", "/sessions", "/configuration", "/dead-letters")


@pytest.mark.parametrize("size", ["none", "little", "big"])
@pytest.mark.parametrize("path", LISTS)
def test_every_page_stands_with_any_amount_of_data(path: str, size: Size) -> None:
    html = page(path, FakeBackend(size))
    name = next(item.name for item in pages.PAGES if item.path == path)
    assert f"<title>{name} · Sluice</title>" in html
    assert re.findall(r'aria-current="page">([^<]+)<', html) == [name]
    assert len(html) < 100_000


class LooksOn(FakeBackend):
    """Finds a few of those it looked through, and hands on a cursor."""

    async def sessions(
        self, aggregator: str, group: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[SessionRow] | None:
        found = await super().sessions(aggregator, {}, 2, None)
        return None if found is None else Page(found.items, "on")


def test_a_short_list_with_more_to_look_through_does_not_claim_that_more_match() -> None:
    html = page("/sessions?aggregator=data-per-account&group.product=rare", LooksOn("little"))
    assert "2 open sessions found so far; there may be more." in html
    assert "cursor=on" in html and "More than" not in html


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_page_says_what_to_do_or_that_all_is_well(path: str) -> None:
    text = unescape(page(path, FakeBackend("none")))
    assert "sluice config apply" in text or "Every record could be applied" in text


def test_ten_million_sessions_are_a_page_of_fifty() -> None:
    html = page("/sessions", FakeBackend("big"))
    assert "10,204,551 open sessions of data-per-account" in html
    assert html.count('role="row"') - html.count("<thead") < 60
    assert "cursor=50" in unescape(html)


def test_sessions_are_found_by_the_address() -> None:
    html = page("/sessions?aggregator=data-per-account&group.account=acc-0000002")
    assert "1 open session matches." in html
    assert 'value="acc-0000002"' in html
    assert "No open session matches." in page("/sessions?group.account=nobody")


def test_a_session_shows_values_due_sources_and_flushes() -> None:
    html = page(ONE)
    for text in ("37,748,736", "duration 1h", "9,001", "Flushes", "timeout", "2025-11"):
        assert text in html


def test_a_session_nobody_knows_is_a_page_that_says_so() -> None:
    status, html = get("/sessions/one?aggregator=a&key=x", Accept="text/html")
    assert status == 404
    assert "There is no session x" in html


def test_a_document_shows_its_text_versions_and_changes() -> None:
    html = page("/configuration/aggregator/data-per-account?version=2")
    assert "ttl_days: 90" in html
    assert "aggregate[1]" in html
    assert html.count("?version=") == 3


def test_a_schedule_shows_its_next_twelve_times() -> None:
    html = page("/configuration/aggregator/example-nightly")
    assert html.count("02:30</td>") == 12
    assert "every day at 02:30 Europe/Stockholm" in html
    assert 'class="tag"' in html  # marked as an example


def test_a_letter_shows_why_and_its_bytes() -> None:
    html = page("/dead-letters/dl-000002")
    assert "Look at the bytes below" in html
    assert "000000  80 81 50 4b" in html


def test_the_bytes_of_a_letter_can_be_had() -> None:
    async def steps(client: Client) -> tuple[bytes, str]:
        response = await client.get("/dead-letters/dl-000001/original")
        return await response.read(), response.headers["Content-Disposition"]

    body, disposition = visit(steps)
    assert body.startswith(b'{"account": "acc-1"')
    assert disposition == 'attachment; filename="dl-000001.bin"'


def test_letters_are_filtered_by_the_address() -> None:
    html = page("/dead-letters?reason=not_a_number")
    assert "dl-000001" in html
    assert "dl-000000" not in html


@pytest.mark.parametrize("path", LISTS)
def test_a_trial_clock_is_told_on_every_page(path: str) -> None:
    backend = FakeBackend()
    assert "Trial clock" not in page(path, backend)
    backend.clock_shown = ClockInfo(made.NOW_MS, trial=True, speed=60)
    assert "60 × the real speed" in page(path, backend)


def test_what_fails_says_what_and_offers_to_try_again() -> None:
    backend = FakeBackend()
    backend.failing = Unavailable("partition 3", "its owner starts")
    status, html = get("/sessions", backend, Accept="text/html")
    assert status == 503
    assert "its owner starts" in unescape(html)
    assert 'href="/sessions">Try again' in html


def test_a_fault_of_ours_is_a_page_that_tells_nothing_of_the_inside() -> None:
    backend = FakeBackend()
    backend.failing = ValueError("secret")
    status, html = get("/sessions", backend, Accept="text/html")
    assert status == 500
    assert "secret" not in html


def test_what_takes_long_shows_its_shape_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "SHAPE_AFTER_S", 0.0)
    backend = FakeBackend()

    async def never() -> Overview:
        await asyncio.Event().wait()
        raise AssertionError

    backend.overview = never  # type: ignore[method-assign]  # slow for one test
    html = page("/", backend)
    assert 'class="loading"' in html
    assert '<noscript><meta http-equiv="refresh"' in html


async def first_pieces(client: Client, path: str, count: int) -> dict[str, str]:
    """The first `count` pieces of a page's event stream."""
    found: dict[str, str] = {}
    async with client.get(path, headers={"Accept": "text/event-stream"}) as response:
        kind = ""
        async for raw in response.content:
            line = raw.decode().strip()
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind == "piece":
                piece: dict[str, Any] = json.loads(line.removeprefix("data: "))
                found[piece["id"]] = piece["html"]
                if len(found) == count:
                    break
    return found


@pytest.mark.parametrize(
    "view",
    [view for item in pages.PAGES for view in item.views if view.pieces],
    ids=lambda view: str(view.path),
)
def test_pieces_are_what_stands_in_the_page(view: shell.View) -> None:
    path = ONE if view.path == "/sessions/one" else view.path
    ids = {"/fdds": made_campaigns.fdd_id(0, 2), "/camp": made_campaigns.request_id(0)}
    path = path.replace("{kind}/{name}", "aggregator/data-per-account")
    path = path.replace("{id}", ids.get(path[:5], "p-0"))
    names = {"/sour": "stars", "/aler": "too-high"}
    path = path.replace("{name}", names.get(path[:5], "growth"))

    async def steps(client: Client) -> tuple[str, dict[str, str]]:
        html = await (await client.get(path, headers=PERSON)).text()
        return html, await first_pieces(client, path, len(view.pieces))

    html, found = visit(steps, CampaignsShown())
    assert set(found) == set(view.pieces)
    for name, piece in found.items():
        assert f'id="{name}"' in html
        assert piece in html


def test_a_stream_tells_when_figures_are_not_current() -> None:
    backend = FakeBackend()
    backend.failing = Unavailable("partition 3", "its owner starts")

    async def steps(client: Client) -> str:
        async with client.get("/", headers={"Accept": "text/event-stream"}) as response:
            return (await response.content.readuntil(b"\n\n")).decode()

    assert visit(steps, backend).startswith('event: failed\ndata: {"detail":')


def test_many_watchers_are_one_look_at_the_system() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        await asyncio.gather(*(client.get("/", headers=PERSON) for _ in range(8)))

    visit(steps, backend)
    assert backend.calls.count("overview") == 1
