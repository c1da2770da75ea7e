"""The dashboards there are, and the questions that their widgets stand for."""

from dataclasses import replace

from aiohttp import web

from app.metrics_backend import Asked
from app.web.context import BACKEND, CLOCK
from app.web.problems import bad_parameter, not_found
from app.web.routes import Param
from config.documents import fields, spans
from config.documents.base import At
from config.documents.registry import load_stored
from domain.metrics.dashboard import DAY_MS, Dashboard, Widget, default_of
from domain.metrics.grains import GRAINS, OVERLAYS, text_of
from domain.metrics.source import Source

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SPAN = spans.span(3_600_000, fields.MAX_DAYS * DAY_MS)
NO_OVERLAY = "none"
CHANGES = (
    Param("grain", f"{', '.join(GRAINS)}: in place of each widget's own"),
    Param("range", "how far back, as `30d` or `36h`: in place of each widget's own"),
    Param("overlay", f"{', '.join(OVERLAYS)} or {NO_OVERLAY}: in place of each widget's own"),
)


async def dashboards(request: web.Request) -> dict[str, tuple[Dashboard, bool]]:
    """By name, each with whether it is the default one of the source of that name: a document
    takes its place."""
    backend = request.app[BACKEND]
    found: dict[str, tuple[Dashboard, bool]] = {}
    for version in await backend.documents(Source.kind):
        if version.out_of_service:
            continue
        source = load_stored(version.body)
        usual = default_of(source) if isinstance(source, Source) else None
        if usual is not None:
            found[usual.name] = (usual, True)
    for version in await backend.documents(Dashboard.kind):
        if version.out_of_service:
            continue
        own = load_stored(version.body)
        if isinstance(own, Dashboard):
            found[own.name] = (own, False)
    return dict(sorted(found.items()))


async def dashboard_of(request: web.Request) -> tuple[Dashboard, bool]:
    """The one that the path names, as the query changes its widgets. Raises ProblemError (400,
    404)."""
    name = request.match_info["name"]
    found = (await dashboards(request)).get(name)
    if found is None:
        raise not_found(f"dashboard {name!r}", "GET /api/metrics/dashboards lists all.")
    board, usual = found
    return replace(board, widgets=tuple(_changed(request, one) for one in board.widgets)), usual


def _changed(request: web.Request, widget: Widget) -> Widget:
    query = request.query
    if text := query.get("grain", ""):
        grain = next((one for one in GRAINS if one == text), None)
        if grain is None:
            raise bad_parameter("grain", text, f"one of {', '.join(GRAINS)}")
        widget = replace(widget, grain=grain)
    if text := query.get("range", ""):
        range_ms = _SPAN(text, At())
        if range_ms is None:
            raise bad_parameter("range", text, "a span of an hour or more, like 30d or 36h")
        widget = replace(widget, range_ms=range_ms)
    if text := query.get("overlay", ""):
        overlay = next((one for one in OVERLAYS if one == text), None)
        if overlay is None and text != NO_OVERLAY:
            raise bad_parameter("overlay", text, f"one of {', '.join((*OVERLAYS, NO_OVERLAY))}")
        widget = replace(widget, overlay=overlay)
    return widget


def question(request: web.Request, widget: Widget) -> Asked:
    """What a widget asks now; in the time zone of the metric's source."""
    since = text_of("UTC", request.app[CLOCK].now_ms() - widget.range_ms)
    return Asked(widget.metric, widget.grain, since, "", widget.group, widget.where, widget.overlay)


def range_text(ms: int) -> str:
    """A span as documents have it: `30d`, `36h`."""
    unit, size = next((unit, size) for unit, size in _UNITS if ms % size == 0)
    return f"{ms // size}{unit}"
