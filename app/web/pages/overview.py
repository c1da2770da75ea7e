"""Overview: is all well, and if not, what is to be done?"""

from aiohttp import web

from app.web.answer_sentence import overview_sentence
from app.web.context import BACKEND
from app.web.look import LOOK
from app.web.marks import compact
from app.web.pages.shell import Context, Page, View


async def build(request: web.Request) -> Context:
    """The figures, what is broken, the aggregators and the workers."""
    found = await request.app[LOOK].take(request)
    points = {
        "at": [point.at_ms // 1000 for point in found.rates],
        "in": [round(point.rate_in, 1) for point in found.rates],
        "out": [round(point.rate_out, 1) for point in found.rates],
    }
    return {
        "found": found,
        "sentence": overview_sentence(found),
        "workers": await request.app[BACKEND].workers(),
        "sinks": await request.app[BACKEND].sinks(),
        "points": compact(points),
    }


PAGE = Page(
    "Overview",
    "o",
    (
        View(
            "/",
            "overview.html",
            build,
            ("answer", "troubles", "figures", "rates", "aggregators", "sinks", "workers"),
            every_s=1.0,
        ),
    ),
)
