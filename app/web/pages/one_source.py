"""One source of figures: how far it is, whether it fails, and a fetch of it now."""

from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from app.source_shapes import FetchRefused, SourceStatus
from app.web.context import BACKEND, CLOCK
from app.web.pages.shell import Context, Page, render, see_other
from app.web.problems import not_found
from app.web.words import relative, some, span
from domain.metrics.moments import moment_ms

WANTED = "a date like 2024-01-31 or an instant; both, or none"


def state(source: SourceStatus) -> tuple[str, str]:
    """(state in words, sign) of a source."""
    if source.last_error is not None:
        return "failing, being tried again" if source.running else "failing", "bad"
    if source.running:
        return "fetching now", ""
    if not source.at_work and source.last_fetch_ms is None:
        return "not taken up yet", "warn"
    return ("not fetched yet", "") if source.last_fetch_ms is None else ("fine", "good")


def link(name: str) -> str:
    """The page of a source."""
    return f"/sources/{quote(name, safe='')}"


def sentence(sources: Sequence[SourceStatus]) -> str:
    """How the sources are, together."""
    failing = sum(source.last_error is not None for source in sources)
    if not sources:
        return "No source of figures yet."
    if failing:
        verb = "is" if failing == 1 else "are"
        return f"{failing:,} of {some(len(sources), 'source')} {verb} failing."
    return "The source is fine." if len(sources) == 1 else f"All {len(sources):,} sources are fine."


async def _source(request: web.Request) -> SourceStatus:
    name = request.match_info["name"]
    for source in await request.app[BACKEND].metric_sources():
        if source.name == name:
            return source
    raise not_found(f"source {name!r}", "Metrics lists the sources in force.")


async def build(request: web.Request) -> Context:
    """The source, and the fetch that was asked for last from this page."""
    source = await _source(request)
    now_ms = request.app[CLOCK].now_ms()
    fetch_id = request.query.get("fetch", "")
    fetch = None
    if fetch_id:
        fetch = await request.app[BACKEND].fetch_of_source(source.name, fetch_id, 0.0)
    words, sign = state(source)
    return {
        "source": source,
        "state": words,
        "sign": sign,
        "sentence": _one_sentence(source, now_ms),
        "fetch_id": fetch_id,
        "fetch": fetch,
        "here": link(source.name),
        "wrong": {},
        "given": {"from": "", "to": ""},
        "refused": "",
    }


def _one_sentence(source: SourceStatus, now_ms: int) -> str:
    if source.last_error is not None:
        since = source.failing_since_ms
        long = f" for {span((now_ms - since) / 1000)}" if since is not None else ""
        return f"Fetching has failed{long}. It is tried again; nothing is lost."
    if source.running:
        return "It is being fetched now."
    last = source.last_fetch_ms
    told = "Not fetched yet" if last is None else f"Fetched {relative(last, now_ms)}"
    after = source.next_run_ms
    return f"{told}, next {relative(after, now_ms)}." if after is not None else f"{told}."


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Asks for a fetch, of a time when both ends are given; leads back to the page."""
    source = await _source(request)
    fields = await request.post()
    given = {name: str(fields.get(name, "")).strip() for name in ("from", "to")}
    ends = {name: moment_ms(text) for name, text in given.items()}
    wrong = {}
    if any(given.values()):
        wrong = {name: WANTED for name, at in ends.items() if at is None}
    refused = ""
    if not wrong:
        try:
            fetch = await request.app[BACKEND].fetch_source(
                source.name, ends["from"], ends["to"], trial=False
            )
        except FetchRefused as error:
            refused = error.detail
        else:
            if fetch is None:
                raise not_found(f"source {source.name!r}", "It was removed meanwhile.")
            return see_other(f"{link(source.name)}?fetch={quote(fetch.id)}#fetch")
    context = {**await build(request), "given": given, "wrong": wrong, "refused": refused}
    return await render(request, page, "source.html", {**context, "live": False}, status=422)
