"""What the console and the HTTP interface ask about the tables of impressions."""

from collections.abc import Mapping
from typing import Any, Protocol

from app.shapes import Page


class ImpressionsBackend(Protocol):
    """The part of `app.backend.Backend` about impressions. Raises FilesUnavailable."""

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        """The figures of a table as `sluice impressions status --json` prints them, from its
        manifest; None when it is not there."""

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        """Loads, newest first: those done, undone and replaced, those that run or failed."""

    async def impressions(self) -> dict[str, Any]:
        """How it all stands, as `/api/impressions` tells it."""

    async def impressions_figures(
        self, table: str, day: str | None, limit: int, cursor: str | None
    ) -> Page[dict[str, Any]] | None:
        """Figures by day, newest first; with a `day` (empty: all of the compat layout) by campaign.
        None when there is no such table."""

    async def impressions_plan(self, file: str) -> Mapping[str, int]:
        """What an update with this dimension file would rewrite: `files`, `rows`, `bytes`. Raises
        what reading it does."""
