"""What every page must be in a browser: clean, within its width, and open to everybody."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Response

import app.web
from tests.app.web.fake import Size
from tests.servers import absent

AXE = Path(app.web.__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
LISTS = (
    "/",
    "/sessions",
    "/sessions/day",
    "/campaigns",
    "/campaigns/upload",
    "/do-not-call",
    "/erase",
    "/fdds",
    "/impressions",
    "/impressions/loads",
    "/impressions/change",
    "/dashboards",
    "/alerts",
    "/configuration",
    "/configuration/apply",
    "/dead-letters",
    "/processes",
    "/funnel",
    "/usage",
    "/usage/banners",
    "/tables",
    "/tables/sessions",
    "/login",
)
CAMPAIGN = "/campaigns/reminder-0000000000000000"
ONES = (
    "/sessions/one?aggregator=data-per-account&key=%5B%22acc-0000001%22%5D",
    "/sessions/explain?aggregator=data-per-account&id=0000000100000001c0ffee",
    "/sessions/resend?aggregator=data-per-account&id=0000000100000001c0ffee",
    "/sessions/retract?aggregator=data-per-account&group.account=acc-0000001",
    "/sessions/day?day=2025-11-02&aggregator=data-per-account",
    "/configuration/preview/p-0",
    "/sessions/act?aggregator=data-per-account&key=%5B%22acc-0000001%22%5D",
    "/sessions/act?aggregator=data-per-account&done=flush&touched=2&command=c1",
    "/configuration/aggregator/data-per-account",
    "/configuration/aggregator/example-nightly",
    "/dead-letters/dl-000002",
    "/dead-letters/replay",
    "/funnel/0-0-3",
    "/funnel/0-0-3?format=edn",
    "/funnel?since=1h&label=error",
    "/usage/banners_by_placeholder?from=2025-10-01&to=2025-12-01",
    "/tables/sessions/row?key=%5B%22acc-0000001%22%2C%22voice%22%2C%222025-11%22%5D",
    "/dashboards/growth",
    "/dashboards/stars",
    "/sources/stars",
    "/alerts/too-high",
    "/sources/data-per-account",
    CAMPAIGN,
    f"{CAMPAIGN}/fdds",
    f"{CAMPAIGN}/rejections",
    f"{CAMPAIGN}/negatives",
    f"{CAMPAIGN}/reschedule?slots=10:00-12:00&days=2",
    f"{CAMPAIGN}/revoke",
    "/campaigns/reminder-0000000000000001",
    "/campaigns/reminder-0000000000000002/retrigger",
    "/fdds/reminder-0000000000000000.20251103.1000_1200.1.2",
    "/fdds?number=%2B919800000003",
    "/impressions/figures?table=FACT_UPDATED",
    "/impressions/figures?table=FACT_JOINED&day=2025-11-02",
)
RULES = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}


def paths(size: Size) -> tuple[str, ...]:
    """The pages there are with data of that size."""
    return LISTS if size == "none" else LISTS + ONES


def listen(page: Page) -> list[str]:
    """Errors and warnings of the page, as they come."""
    heard: list[str] = []
    page.on(
        "console",
        lambda said: heard.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def requests(page: Page) -> list[str]:
    """The addresses that the page asks, as it does."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def answers(page: Page) -> list[Response]:
    """The answers the page gets, as they come."""
    got: list[Response] = []
    page.on("response", lambda answer: got.append(answer))
    return got


def is_stream(answer: Response) -> bool:
    """Whether a response is a page's event stream, which has no end."""
    return "event-stream" in answer.headers.get("content-type", "")


def resize(page: Page, width: int) -> None:
    """Makes the window that wide, on the page that it shows."""
    page.set_viewport_size({"width": width, "height": height(width)})


def height(width: int) -> int:
    """The height of a window of that width: a screen's, or a phone's."""
    return 900 if width > 700 else 740


def turn(page: Page, theme: str) -> None:
    """Shows the page in that theme: `light` or `dark`."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")


def beyond(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wider


def violations(page: Page, rules: Mapping[str, object] = RULES) -> list[str]:
    """Serious and critical findings of axe by `rules`, with the elements."""
    if not AXE.exists():
        absent(f"no axe-core: run `npm ci` in {AXE.parents[2].name}")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
    )
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
