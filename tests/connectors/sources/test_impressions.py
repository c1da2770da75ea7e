"""Figures of impressions as records of a source: each day once, what was taken out again too."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from agents.impressions.joining import join
from agents.impressions.load import undo_load
from connectors.sources.base import Cursor, Page
from connectors.sources.errors import CallFailed
from domain.clock import FixedClock
from domain.impressions.dimension import Given, History
from domain.metrics.defaults import default_of
from domain.metrics.document import Mapping
from domain.metrics.records import Record, record_of
from tests.agents.impressions.kit import NOW_MS, MemoryFiles, load, packed
from tests.connectors.sources.drained import drained

CLOCK = FixedClock(NOW_MS)


class Collected:
    """A source as a worker has it: its cursor, its archive, and what counts of it by key."""

    def __init__(self, files: MemoryFiles, **fetch: str) -> None:
        self._files, self._fetch = files, fetch
        self.cursor: Cursor = None
        self.archive: list[Any] = []
        self.records: dict[str, Record] = {}
        default = default_of("impressions")
        self._mapping = Mapping("s", default.metrics, default.key)

    def fetch(self, most: int | None = None) -> int:
        """Takes pages, at most so many; how many records came."""
        document = {"connector": "impressions", "fetch": self._fetch}
        pages: list[Page]
        pages, _ = asyncio.run(
            drained(document, self.cursor, tables=self._files, archived=self.archive)
        )
        count = 0
        for page in pages[:most]:
            self.cursor = page.cursor
            for one in page.records:
                self.archive.append(one.attributes)
                found = record_of(self._mapping, one.ts_ms, len(self.archive), one.attributes)
                self.records[found.key] = found
                count += 1
        return count

    def total(self, metric: str) -> Counter[str]:
        """campaign (and day) -> what the records in force give."""
        found = Counter[str]()
        for record in self.records.values():
            for value in record.values:
                if value.metric == f"impressions.{metric}":
                    name = value.dimensions.get("campaign", "")
                    found[f"{record.attributes['day']} {name}"] += value.value  # type: ignore[assignment]  # sums
        return +found


def two_loads() -> tuple[MemoryFiles, str]:
    """Tables with two loads of one day, and the id of the second."""
    files = MemoryFiles()
    load(files, packed("11/01/2025,1,a,v,0.5", "11/01/2025,2,a,v,0.25", "11/02/2025,3,b,v,1"))
    second = packed("11/01/2025,4,a,v,0.75", "11/01/2025,5,c,v,0.125", "11/01/2025,,c,v,1")
    return files, load(files, second, "second.csv.gz").load.load


def test_each_day_comes_once_and_again_when_it_has_changed() -> None:
    files, _ = two_loads()
    source = Collected(files)
    assert source.fetch() == 3 + 2
    assert source.total("rows") == {"2025-11-01 a": 3, "2025-11-01 c": 1, "2025-11-02 b": 1}
    assert source.total("viewing_sum")["2025-11-01 a"] == 1.5
    assert source.total("viewing_percentage")["2025-11-01 a"] == 0.5
    assert source.total("rejected") == {"2025-11-01 ": 1}
    assert source.fetch() == 0
    load(files, packed("11/02/2025,9,b,v,0.5"), "third.csv.gz")
    assert source.fetch() == 1 + 1
    assert source.total("rows")["2025-11-02 b"] == 2


@pytest.mark.parametrize("most", [1, 2, None])
def test_what_was_taken_out_is_no_longer_counted(most: int | None) -> None:
    files, second = two_loads()
    source = Collected(files)
    source.fetch(most)
    undo_load(files, CLOCK, second)
    while source.fetch(most):
        pass
    assert source.total("rows") == {"2025-11-01 a": 2, "2025-11-02 b": 1}
    assert source.total("rejected") == {}
    assert source.total("loads") == {"2025-11-01 ": 1}


def test_a_joined_table_tells_what_has_no_metadata() -> None:
    files, _ = two_loads()
    history = History().applied(Given(("name",), {"a": ("x",)}), "2025-11-03T00:00:00.000Z")
    join(files, CLOCK, history)
    source = Collected(files, table="FACT_JOINED")
    source.fetch()
    assert source.total("unmatched") == {"2025-11-01 c": 1, "2025-11-02 b": 1}


def test_without_tables_it_says_so_and_an_empty_table_gives_nothing() -> None:
    assert Collected(MemoryFiles()).fetch() == 0
    with pytest.raises(CallFailed, match="no tables"):
        asyncio.run(drained({"connector": "impressions"}))
