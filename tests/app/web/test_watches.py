"""Live pages are made once for all who watch the same; what is a viewer's own stays theirs."""

import asyncio
import json
import re
from typing import Any

from aiohttp import ClientResponse

from app.backend import Unavailable
from app.people.people import People
from app.trail.trail import MemoryTrail
from app.web.audited import TRAIL
from app.web.watches import OWN_TOKEN, WATCHES
from tests.app.web.attacks import watched
from tests.app.web.fake import FakeBackend
from tests.app.web.signing import among_people, csrf, sign_in
from tests.app.web.site import Client, visit
from tests.app.web.test_masking import NUMBER, ONE

LIVE = {"Accept": "text/event-stream"}


async def events(live: ClientResponse, count: int) -> list[tuple[str, Any]]:
    """The next events: (name, data)."""
    found: list[tuple[str, Any]] = []
    while len(found) < count:
        name = (await live.content.readline()).decode().removeprefix("event: ").strip()
        data = json.loads((await live.content.readline()).decode().removeprefix("data: "))
        await live.content.readline()
        found.append((name, data))
    return found


async def pieces(live: ClientResponse, count: int) -> dict[str, str]:
    """As many pieces as the page has, by id."""
    found: dict[str, str] = {}
    while len(found) < count:
        ((name, data),) = await events(live, 1)
        if name == "piece":
            found[data["id"]] = data["html"]
    return found


def test_a_page_is_made_once_for_twenty_and_by_nobody_once_they_have_gone() -> None:
    async def steps(client: Client) -> None:
        assert client.app is not None
        (first,) = [await client.get("/", headers=LIVE)]
        whole = await pieces(first, 7)
        backend.called.clear()
        others = await asyncio.gather(*(client.get("/", headers=LIVE) for _ in range(19)))
        told = await asyncio.gather(*(pieces(each, 7) for each in others))
        assert all(each == whole for each in told)
        asked = backend.called.count("workers")
        rounds = 0
        for _ in range(4):  # of the first viewer: rounds that everybody shares
            ((name, _data),) = await events(first, 1)
            rounds += name == "now"
        assert backend.called.count("workers") <= asked + rounds + 1 < 20
        elsewhere = await client.get("/?x=1", headers=LIVE)  # another address is another page
        await pieces(elsewhere, 7)
        watches = client.app[WATCHES]._open
        assert len(watches) == 2
        for each in (first, elsewhere, *others):
            each.close()
        for watch in list(watches.values()):
            await asyncio.wait((watch.task,))
        assert watches == {}

    backend = watched()
    visit(steps, backend)


def test_forms_of_a_live_page_have_their_viewers_token() -> None:
    async def steps(client: Client, people: People) -> None:
        tokens = []
        for name in ("ada", "ada", "otto"):
            await sign_in(client, name)
            own = await csrf(client, "/processes")
            live = await client.get("/processes", headers=LIVE)
            html = (await pieces(live, 3))["running"]
            assert OWN_TOKEN not in html
            assert set(re.findall(r'name="csrf" value="([^"]*)"', html)) == {own}
            tokens.append(own)
            live.close()
        assert len(set(tokens)) == 3

    among_people(steps)


def test_viewers_see_what_each_of_them_may_and_who_sees_numbers_is_audited() -> None:
    async def steps(client: Client, people: People) -> None:
        path, shown = f"/campaigns/{ONE}/fdds", {}
        for name in ("nora", "vera", "nora"):
            await sign_in(client, name)
            live = await client.get(path, headers=LIVE)
            shown[name] = (await pieces(live, 2))["rows"]
            live.close()
        assert NUMBER.search(shown["nora"]) and not NUMBER.search(shown["vera"])
        assert client.app is not None
        trail = client.app[TRAIL]
        assert isinstance(trail, MemoryTrail)
        seen = [each.actor for each in trail.entries.values() if each.action == "numbers.see"]
        assert seen == ["nora", "nora"]

    among_people(steps)


class Away(FakeBackend):
    """Its workers can't be told for a while."""

    gone = True

    async def workers(self) -> Any:
        if self.gone:
            raise Unavailable("workers", "nobody answers")
        return await super().workers()


def test_what_is_away_is_told_to_all_and_shown_when_it_is_back() -> None:
    async def steps(client: Client) -> None:
        both = [await client.get("/", headers=LIVE) for _ in range(2)]
        for live in both:
            ((name, data),) = await events(live, 1)
            assert name == "failed" and "nobody answers" in data["detail"]
        backend.gone = False
        for live in both:
            assert len(await pieces(live, 7)) == 7
            live.close()

    backend = Away()
    visit(steps, backend)
