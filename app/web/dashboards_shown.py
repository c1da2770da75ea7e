"""The dashboards there are, and the questions that their widgets stand for."""

from aiohttp import web

from app.metrics_backend import Asked
from app.web.context import BACKEND, CLOCK
from app.web.problems import not_found
from config.documents.registry import load_document
from domain.metrics.dashboard import Dashboard, Widget, default_of
from domain.metrics.grains import text_of
from domain.metrics.source import Source

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


async def dashboards(request: web.Request) -> dict[str, tuple[Dashboard, bool]]:
    """By name, each with whether it is the default one of the source of that name: a document
    takes its place."""
    backend = request.app[BACKEND]
    found: dict[str, tuple[Dashboard, bool]] = {}
    for version in await backend.documents(Source.kind):
        source = load_document(version.body)
        usual = default_of(source) if isinstance(source, Source) else None
        if usual is not None:
            found[usual.name] = (usual, True)
    for version in await backend.documents(Dashboard.kind):
        own = load_document(version.body)
        if isinstance(own, Dashboard):
            found[own.name] = (own, False)
    return dict(sorted(found.items()))


async def dashboard_of(request: web.Request) -> tuple[Dashboard, bool]:
    """The one that the path names. Raises ProblemError (404)."""
    name = request.match_info["name"]
    found = (await dashboards(request)).get(name)
    if found is None:
        raise not_found(f"dashboard {name!r}", "GET /api/metrics/dashboards lists all.")
    return found


def question(request: web.Request, widget: Widget) -> Asked:
    """What a widget asks now; in the time zone of the metric's source."""
    since = text_of("UTC", request.app[CLOCK].now_ms() - widget.range_ms)
    return Asked(widget.metric, widget.grain, since, "", widget.group, widget.where, widget.overlay)


def range_text(ms: int) -> str:
    """A span as documents have it: `30d`, `36h`."""
    unit, size = next((unit, size) for unit, size in _UNITS if ms % size == 0)
    return f"{ms // size}{unit}"
