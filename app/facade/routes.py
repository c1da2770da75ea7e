"""What routing decided and counted on every input partition, read from its own log.

Any worker can read it, whoever owns the partition, and whether it had a batch since it started.
"""

from app.facade.parts import Parts
from connectors.streams.base import TP
from tables.changelog import Changelog
from tables.routes import Route, RouteLog


class Routes:
    """The newest route rows, kept until their log has news."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[TP, tuple[int, Route]] = {}

    async def latest(self) -> dict[TP, Route]:
        """By (public topic, partition), of all topics that ever were an input."""
        tps = {tp: self._log_of(tp) for tp in await self._inputs()}
        ends = await self._parts.log.end_offsets(tps.values())
        found: dict[TP, Route] = {}
        for tp, log in tps.items():
            known = self._known.get(tp)
            if known is None or known[0] != ends[log]:
                reader = RouteLog(Changelog(self._parts.log, *log, self._parts.worker))
                await reader.read()
                known = self._known[tp] = (ends[log], reader.route)
            found[tp] = known[1]
        return found

    async def _inputs(self) -> list[TP]:
        """All input partitions that have a log of decisions."""
        found: list[TP] = []
        for name in sorted({r.document.input for r in self._parts.documents.rules.values()}):
            count = await self._parts.partitions(self._log_of((name, 0))[0])
            found += ((name, partition) for partition in range(count or 0))
        return found

    def _log_of(self, tp: TP) -> TP:
        return self._parts.names.changelog(f"routes-{tp[0]}"), tp[1]


def rejected(routes: dict[TP, Route]) -> dict[str, int]:
    """Records refused while they were routed, by aggregator; "" is none in particular."""
    found: dict[str, int] = {}
    for route in routes.values():
        for name, reasons in route.rejected.items():
            found[name] = found.get(name, 0) + sum(reasons.values())
    return found
