"""Processes: what runs now, and how are the workers?"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from app.process_shapes import Minute, Vitals
from app.web import words
from app.web.api.processes import cancelled
from app.web.bars import Bar, bars
from app.web.context import BACKEND
from app.web.pages.shell import Context, Page, View, see_other

PATH = "/processes"
MINUTES = 60  # of an hour
CANCEL = f"{PATH}/cancel"


class Drawn(NamedTuple):
    """A worker's hour of one figure."""

    name: str
    now: str
    bars: list[Bar]
    unit: Callable[[Any], str]


def cores(value: float) -> str:
    """CPU: 0.125 of a core is "12.5 %"."""
    return f"{value * 100:,.1f} %"


def lag(value: float) -> str:
    """Event-loop lag."""
    return f"{value * 1000:,.0f} ms"


def _size(value: float) -> str:
    return words.size(int(value))


FIGURES: Sequence[tuple[str, Callable[[Any], str], Callable[[Minute], float]]] = (
    ("CPU", cores, lambda minute: minute.cpu),
    ("Memory", _size, lambda minute: minute.memory),
    ("Event-loop lag", lag, lambda minute: minute.loop_lag_s),
    ("State on disk", _size, lambda minute: minute.state_bytes),
)


def _drawn(vitals: Vitals) -> list[Drawn]:
    now = {
        "CPU": vitals.cpu,
        "Memory": vitals.memory,
        "Event-loop lag": vitals.loop_lag_s,
        "State on disk": vitals.state_bytes,
    }
    return [
        Drawn(
            name,
            unit(now[name]),
            bars([(take(minute), minute.real_ms, "") for minute in vitals.history], MINUTES),
            unit,
        )
        for name, unit, take in FIGURES
    ]


async def build(request: web.Request) -> Context:
    """What runs, and each worker's last hour."""
    found = await request.app[BACKEND].processes()
    away = [one for one in found.workers if one.state == "gone"]
    return {
        "found": found,
        "away": away,
        "there": [one for one in found.workers if one.state not in ("gone", "stopped")],
        "drawn": {one.worker: _drawn(one) for one in found.workers},
        "cores": cores,
        "lag": lag,
        "cancelled": request.query.get("cancelled", ""),
    }


async def _cancel(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    ident = str(fields.get("id", ""))
    await cancelled(request, ident)
    return see_other(f"{PATH}?{urlencode({'cancelled': str(fields.get('name', ''))})}")


PAGE = Page(
    "Processes",
    "p",
    (View(PATH, "processes.html", build, ("answer", "running", "workers"), 2.0),),
    actions=((CANCEL, _cancel),),
)
