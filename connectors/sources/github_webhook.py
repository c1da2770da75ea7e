"""GitHub's pushes, as they were taken at `POST /hooks/{source}`. A delivery counts once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.streams.base import Item
from domain.metrics.fetched import Fetched
from domain.metrics.records import attributes_of


class Delivery(msgspec.Struct):
    """A delivery as it is on the topic; `at`: when it came, epoch milliseconds."""

    delivery: str
    event: str
    at: int
    body: dict[str, Any]


_decode = msgspec.json.Decoder(Delivery).decode


class GithubWebhook:
    """Its cursor: `offset`, that of the next delivery on the topic's partition."""

    RANGED = False
    BASE_URL: str | None = None
    PUSHED = True

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._looked = 0  # up to where there is nothing of this source behind the cursor

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        at = max(0 if cursor is None else int(cursor["offset"]), self._looked)
        while True:
            part = await self._kit.deliveries(at)
            if part.next_offset <= at:
                return
            at = part.next_offset
            if part.items:
                yield Page([_record(item) for item in part.items], {"offset": at})
            self._looked = at


def _record(item: Item) -> Fetched:
    found = _decode(item[3] or b"")
    repository = found.body.get("repository")
    repo = repository.get("full_name") if isinstance(repository, dict) else None
    attributes = attributes_of(found.body)
    named = {"delivery": found.delivery, "event": found.event, "repo": repo}
    return Fetched(found.at, {**attributes, **named})
