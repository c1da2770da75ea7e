"""Names and records that are programs: on every page that shows them they are text."""

import re
from typing import Any
from urllib.parse import quote, unquote

from tests.app.web.attacks import HEAD, TAIL, Hostile, filled, looked_through, mounted
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.site import PERSON, Client, token, visit

EVIL = f"{HEAD}{TAIL}"
NO_PAGES = ("/api/", "/static", "/health/", "/metrics", "/hooks/", "/login/oidc")
NO_HTML = {"/dead-letters/{id}/original"}
CAMPAIGN, FDD = "reminder-0000000000000000", "reminder-0000000000000000.20251103.1000_1200.1.1"
FIRST = (
    "/", "/login", "/configuration/apply", "/dead-letters/replay", "/sessions/day", "/fdds",
    "/impressions/figures", "/impressions/change", "/impressions/loads", "/erase", "/do-not-call",
    "/sessions/retract?aggregator=data-per-account", "/campaigns/upload",
    "/configuration/preview/p-0", "/dashboards/growth", f"/fdds/{FDD}",
    f"/sources/{quote(HEAD)}stars{quote(TAIL, safe='')}",
    f"/campaigns/{CAMPAIGN}/negatives",
    f"/campaigns/{CAMPAIGN}/pause", "/tables/sessions/row?key=%5B%22acc-0000001%22%5D",
)  # fmt: skip


def pages() -> dict[str, re.Pattern[str]]:
    """Every page that is looked at, by its route."""
    return {
        path: re.compile(filled(path, "[^/]+"))
        for method, path in mounted()
        if method == "GET" and not path.startswith(NO_PAGES)
    }


def runs_of(html: str, status: int) -> list[str]:
    """What of the page would run."""
    found = looked_through(html)
    assert status < 500, html[-2000:]
    assert len(found.nonces) <= 1 and None not in found.nonces, found.nonces
    return found.runs


def test_stored_in_whatever_name_or_record_it_is_text_on_every_page() -> None:
    """Walks the console by its links, so that addresses are the hostile ones it makes itself."""

    async def steps(client: Client) -> tuple[dict[str, list[str]], dict[str, int], int]:
        wrong: dict[str, list[str]] = {}
        seen: dict[str, int] = {}  # one address of each kind
        ahead, shown = list(reversed(FIRST)), 0
        while ahead:
            address = ahead.pop()
            kind = re.sub(r"[0-9]+", "", unquote(address.partition("?")[0]))
            if kind in seen or address.startswith(NO_PAGES):
                continue
            answered = await client.get(address, headers=PERSON)
            seen[kind] = answered.status
            if answered.content_type == "text/html":
                text = await answered.text()
                if runs := runs_of(text, answered.status):
                    wrong[address] = runs
                shown += text.count("&lt;img src=x")
                ahead += sorted(looked_through(text).links)
        return wrong, seen, shown

    backend: Any = Hostile(CampaignsShown("little"))
    wrong, seen, shown = visit(steps, backend)
    assert wrong == {}
    assert shown > 500, "little that is hostile was shown: the test is blind"
    there = [kind.replace(HEAD, "").replace(TAIL, "") for kind, code in seen.items() if code == 200]
    missed = {path for path, way in pages().items() if not any(map(way.fullmatch, there))}
    assert missed - NO_HTML == set(), "add an address of the page to FIRST"


def test_reflected_from_whatever_part_of_an_address_it_is_text() -> None:
    async def steps(client: Client) -> dict[str, list[str]]:
        wrong = {}
        for path in pages():
            plain = looked_through(await (await client.get(path, headers=PERSON)).text())
            names = {name for name, _ in plain.fields} | {
                "aggregator", "name", "kind", "id", "q", "next", "day", "key", "reason", "cursor",
                "number", "campaign", "customer", "from", "to", "table", "prefix", "done",
                "command", "value", "group.account", "once", EVIL,
            }  # fmt: skip
            address = filled(path, quote(EVIL, safe=""))
            for asked in (address, *(f"{address}?{quote(name)}={quote(EVIL)}" for name in names)):
                answered = await client.get(asked, headers=PERSON, allow_redirects=False)
                if answered.content_type != "text/html":
                    assert path in NO_HTML or answered.status >= 300, path
                    continue
                if runs := runs_of(await answered.text(), answered.status):
                    wrong[asked] = runs
        return wrong

    assert visit(steps, CampaignsShown("little")) == {}


def test_reflected_from_whatever_field_of_a_form_it_is_text() -> None:
    async def steps(client: Client) -> dict[str, list[str]]:
        wrong, good = {}, await token(client)
        for method, path in mounted():
            if method != "POST" or path.startswith(NO_PAGES):
                continue
            names = ("aggregator", "name", "kind", "document", "reason", "id", "number", "numbers",
                     "do", "day", "group.account", "event", "records", "record", "since", "table",
                     "username", "password", "next", "why", "slots", "days")  # fmt: skip
            form = {"csrf": good, **dict.fromkeys(names, EVIL)}
            for address in (filled(path, "reminder"), filled(path, quote(EVIL, safe=""))):
                answered = await client.post(
                    address, data=form, headers=PERSON, allow_redirects=False
                )
                text = await answered.text()
                if answered.content_type == "text/html" and (
                    runs := runs_of(text, answered.status)
                ):
                    wrong[address] = runs
                assert "Evil" not in answered.headers
        return wrong

    assert visit(steps, CampaignsShown("little")) == {}


def test_nothing_of_the_api_is_a_page() -> None:
    """Data is never HTML, so that no browser runs what stands in it, and is never guessed at."""

    async def steps(client: Client) -> list[str]:
        wrong = []
        for method, path in mounted():
            if method != "GET" or not path.startswith(("/api/", "/health/")):
                continue
            for value in ("reminder", EVIL):
                answered = await client.get(
                    filled(path, quote(value, safe="")), headers=PERSON, params={"q": EVIL}
                )
                sniffed = answered.headers["X-Content-Type-Options"] != "nosniff"
                if answered.content_type in ("text/html", "image/svg+xml") or sniffed:
                    wrong.append(path)
                if answered.status >= 500 and answered.status != 503:
                    wrong.append(f"{path}: {answered.status}")
        return wrong

    backend: Any = Hostile(CampaignsShown("little"))
    assert visit(steps, backend) == []
