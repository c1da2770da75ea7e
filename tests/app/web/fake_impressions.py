"""Impressions of the backend in memory: a folder of tables, real ones."""

from pathlib import Path
from typing import Any

from app.facade.impressions import loads_of, table_of
from app.shapes import Page
from connectors.files.base import Files
from connectors.files.local import LocalFiles


class FakeImpressions:
    """Answers at once, from `impressions`."""

    def __init__(self) -> None:
        super().__init__()
        self.impressions: Files = LocalFiles(Path("/nowhere"))

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        return table_of(self.impressions, table)

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        return loads_of(self.impressions, limit, cursor)
