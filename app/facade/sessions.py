"""Open sessions of all partitions, and one session with the history of its flushes."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.facade.cursors import cursor_of, place_of
from app.facade.flushes import Flushes
from app.facade.owners import Owners, page
from app.facade.parts import Parts
from app.shapes import Page, SessionDetail, SessionRow
from domain.aggregation.keys import Search, searches
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule, split_row_key

LOOKED = 4_000  # rows looked at for an answer: some 20 ms. The cursor says where to go on


class Sessions:
    """Lists and finds sessions."""

    def __init__(self, parts: Parts, owners: Owners) -> None:
        self._parts = parts
        self._owners = owners
        self._flushes = Flushes(parts)

    def rules(self, aggregator: str) -> list[Rule]:
        """All versions of an aggregator, removed ones too, oldest first."""
        rules = self._parts.documents.rules
        return [rules[name, number] for name, number in sorted(rules) if name == aggregator]

    def _look_for(self, aggregator: str) -> None:
        """Raises OutOfService for an aggregator that there is, and that can't be read."""
        lost = self._parts.documents.lost(aggregator)
        if lost is not None:
            raise lost

    async def listed(
        self, aggregator: str, group: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[SessionRow] | None:
        """See `Backend.sessions`."""
        rules = self.rules(aggregator)
        if not rules:
            self._look_for(aggregator)
            return None
        after = None if cursor is None else place_of(cursor, bytes)
        return await self._page(searches(rules, group), limit, after)

    async def _page(
        self, wanted: Sequence[Search], limit: int, after: bytes | None
    ) -> Page[SessionRow]:
        ranges = [
            [first, end, [[place, list(values)] for place, values in search.tests]]
            for search in wanted
            for first, end in search.ranges
        ]
        asked = {"searches": ranges}
        rows, reached, _ = await self._owners.rows("sessions", asked, limit, after, examine=LOOKED)
        following = None if reached is None else cursor_of(reached)
        return Page([shown(*row) for row in rows], following)

    async def one(self, aggregator: str, key: str) -> SessionDetail | None:
        """See `Backend.session`."""
        rules = self.rules(aggregator)
        if not rules:
            self._look_for(aggregator)
            return None
        opened = await self.opened(rules, key.encode(), or_copy=True)
        # of a first session there are no flushes to look for
        first = opened is not None and is_first(opened) and len({r.prefix for r in rules}) == 1
        flushes = [] if first else await self._flushes.of(rules, key.encode())
        if opened is None and not flushes:
            return None
        return SessionDetail(aggregator, key, opened, flushes)

    async def opened(
        self, rules: Sequence[Rule], key: bytes, *, or_copy: bool = False
    ) -> SessionRow | None:
        """The open session of a key; with `or_copy` only for people to look at."""
        # the newest group specification first: the key may be open under an older one too
        keys = dict.fromkeys(rule.prefix + key for rule in reversed(rules))
        asked = {
            "searches": [[row_key, row_key + b"\0", []] for row_key in sorted(keys)],
            "after": None,
            "limit": len(keys),
        }
        rows, _ = page(await self._owners.all("sessions", asked, or_copy=or_copy), len(keys))
        by_key = {row[0]: shown(number, worker, row) for number, worker, row in rows}
        return next((by_key[row_key] for row_key in keys if row_key in by_key), None)


def is_first(session: SessionRow) -> bool:
    """Whether the key was never flushed, as far as it is remembered."""
    return bool(exact_json(session.record)["sequence"] == 1)


def shown(number: int, worker: str, row: Sequence[Any]) -> SessionRow:
    """A row as `Local.sessions` tells it, of that shard and worker."""
    row_key, record, due, created, updated = row
    name, _, key = split_row_key(row_key)
    return SessionRow(name, key.decode(), record, due, created, updated, number, worker)
