"""What the console and the HTTP interface ask about the tables of impressions."""

from typing import Any, Protocol

from app.shapes import Page


class ImpressionsBackend(Protocol):
    """The part of `app.backend.Backend` about impressions. Raises FilesUnavailable."""

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        """The figures of a table as `sluice impressions status --json` prints them, from its
        manifest; None when it is not there."""

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        """Loads, newest first: those done, undone and replaced, those that run or failed."""
