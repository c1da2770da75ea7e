"""Figures by day, of which the last ones still settle: asked for again, and replaced.

A round goes through the days from the first that is still settling to today; each is archived when
its figures differ from those archived last. So a kill in a round costs no day that is archived, and
a day whose figures stand still takes no room. A round that was left on an earlier day is not
finished as it was: what it had still to do is in the one up to today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b
from typing import Any

import msgspec

from connectors.sources.base import Cursor, Kit, Page, Window
from domain.metrics.fetched import Fetched
from domain.metrics.moments import DAY, day_of, moment_ms

SETTLING = 3  # days before today whose figures may change
_encode = msgspec.json.Encoder(order="sorted").encode
_NOTHING = blake2b(_encode([]), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Round:
    """One round: its days are `first` to before `end`. `digests`: of what is archived, by day.
    `begun`: it is the rest of one that is under way today."""

    first: date
    end: date
    digests: Mapping[str, str]
    window: bool = False
    begun: bool = False

    @property
    def cursor(self) -> dict[str, Any]:
        """Before its first day."""
        return self._cursor(self.first, self.digests)

    def _cursor(self, day: date, digests: Mapping[str, str]) -> dict[str, Any]:
        return {"day": day.isoformat(), "until": self.end.isoformat(), "digests": digests}

    def page(self, day: date, records: Iterable[Fetched]) -> Page:
        """The page of a day, without its records when they are archived as they are."""
        kept = list(records)
        found = blake2b(
            _encode([[each.ts_ms, each.attributes] for each in kept]), digest_size=8
        ).hexdigest()
        name = day.isoformat()
        if not self.window and self.digests.get(name, _NOTHING) == found:
            kept = []
        oldest = min(self.first, self.end - (SETTLING + 1) * DAY).isoformat()
        digests = {at: text for at, text in self.digests.items() if at >= oldest}
        if found != _NOTHING:
            digests[name] = found
        following = day + DAY
        return Page(kept, self._cursor(following, digests), last=following == self.end)

    def behind(self, page: Page) -> Round:
        """The rest of the round."""
        cursor = page.cursor or {}
        return replace(self, digests=cursor["digests"])


def round_of(kit: Kit, cursor: Cursor, window: Window | None) -> Round:
    """The round that is due: the rest of the one under way today, else a new one up to today, which
    begins with what was still settling at the last one. Without a cursor it begins at the
    document's `from`, else a settling time before today."""
    zone = kit.source.timezone
    if window is not None:
        last = day_of(window.to_ms - 1, zone)
        return Round(day_of(window.from_ms, zone), last + DAY, {}, window=True)
    end = day_of(kit.now_ms(), zone) + DAY
    begin = moment_ms(kit.source.fetch.get("from"), zone)
    earliest = end - (SETTLING + 1) * DAY if begin is None else day_of(begin, zone)
    if cursor is None:
        return Round(earliest, end, {})
    at, until = date.fromisoformat(cursor["day"]), date.fromisoformat(cursor["until"])
    if at < until and until >= end:
        return Round(at, until, cursor["digests"], begun=True)
    first = min(at, until - (SETTLING + 1) * DAY)
    return Round(max(first, earliest) if begin is not None else first, end, cursor["digests"])
