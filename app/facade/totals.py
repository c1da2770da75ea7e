"""Control totals: what the shards keep, and what was refused before it reached one."""

from app.facade.owners import Owners, Told
from app.facade.parts import Parts
from app.facade.routes import Routes, rejected
from app.shapes import Totals as Shown
from domain.aggregation.totals import Totals
from tables.layout import unpack_totals


class ControlTotals:
    """Adds the shards up."""

    def __init__(self, parts: Parts, owners: Owners, routes: Routes) -> None:
        self._parts = parts
        self._owners = owners
        self._routes = routes

    async def of(self, aggregator: str | None) -> list[Shown]:
        """See `Backend.totals`. Raises Unavailable while a shard is nobody's."""
        documents = self._parts.documents
        every = {*documents.rules, *documents.unread}
        known = sorted({name for name, _ in every if aggregator in (None, name)})
        if not known:
            return []
        told = await self._owners.all("totals", {})
        added = add_up(told, rejected(await self._routes.latest()))
        return [self.shown(name, added.get(name, Totals())) for name in known]

    def shown(self, name: str, totals: Totals) -> Shown:
        """The totals with sums under the names of the newest version that prints them."""
        rules = self._parts.documents.rules
        names = self.names(name)
        shape = totals.as_json(name, names)
        zero = {"in": 0, "open": 0, "flushed": 0, "expired": 0, "deleted": 0}
        numbers = [number for known, number in rules if known == name]
        in_force = rules[name, max(numbers)].sums if numbers else ()  # else it is out of service
        sums = {names[field]: zero for _, field in in_force} | shape["sums"]
        return Shown(name, shape["count"], sums, shape["balanced"])

    def names(self, name: str) -> dict[str, str]:
        """The result names of an aggregator's sums by field, those of newer versions first."""
        rules = self._parts.documents.rules
        names: dict[str, str] = {}
        for version in sorted(number for known, number in rules if known == name):
            names |= {
                slot.operation.field: slot.operation.name
                for slot in reversed(rules[name, version].slots)
                if slot.operation.operation == "sum"
            }
        return names


def add_up(told: Told, refused: dict[str, int]) -> dict[str, Totals]:
    """The totals over all shards; what was refused came in, too."""
    added: dict[str, Totals] = {}
    for _, one in told.values():
        for name, totals in unpack_totals(one["totals"]).items():
            added.setdefault(name, Totals()).merge(totals)
    for name, number in refused.items():
        if name:
            totals = added.setdefault(name, Totals())
            totals.add("in", number)
            totals.add("rejected", number)
    return added
