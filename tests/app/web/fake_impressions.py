"""Impressions of the backend in memory: a folder of tables, real ones."""

from collections.abc import Mapping
from typing import Any

from agents.impressions.source import Source
from agents.impressions.summaries import Summaries
from app.facade.impressions import figures_of, loads_of, overview_of, plan_of, table_of
from app.shapes import Page
from connectors.files.base import Files
from connectors.files.opening import open_file
from tests.app.web import made_impressions


class FakeImpressions:
    """Answers at once, from `impressions`; `impressions_queue` is what the queue's owner tells."""

    def __init__(self) -> None:
        super().__init__()
        size = getattr(self, "size", "none")
        self.impressions_files: Files = made_impressions.tables(size)
        self.impressions_queue: dict[str, Any] = made_impressions.queue(size)
        self._summaries = Summaries()

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        return table_of(self.impressions_files, table)

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        return loads_of(self.impressions_files, limit, cursor)

    async def impressions(self) -> dict[str, Any]:
        told = overview_of(self.impressions_files, self._summaries)
        return {**told, **self.impressions_queue}

    async def impressions_figures(
        self, table: str, day: str | None, limit: int, cursor: str | None
    ) -> Page[dict[str, Any]] | None:
        return figures_of(self.impressions_files, self._summaries, table, day, limit, cursor)

    async def impressions_plan(self, file: str) -> Mapping[str, int]:
        files, name = open_file(file)
        return plan_of(self.impressions_files, Source(files, name, file), 0)
