"""Rollups made again from the archive: the same figures, whatever was lost, changed or killed."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from agents.rebuild import NothingArchived, Rebuilt, rebuild
from agents.roll_up import EVENTS, RollUp
from connectors.archive.archive import Archive
from connectors.files.local import LocalFiles
from domain.campaigns.book import MemoryBook
from domain.metrics.document import Mapping, Metric
from domain.metrics.fetched import Fetched, cut
from domain.metrics.page_names import Written, version_of
from domain.metrics.records import Record, encode, record_of
from domain.metrics.rolling import Rolling
from tests.agents.test_roll_up import RollupWorld
from tests.agents.world import NAMES, START_MS

STARS = Metric("stars", "n", "gauge", (("repo", "repo"),))
BY_ID = Mapping("s", (STARS,), ("id",), "Europe/Stockholm")


class Kept(RollupWorld):
    """A world whose records are in an archive, too."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__()
        self.archive = Archive(LocalFiles(folder / "archive"))
        self.scratch = folder / "work" / "rebuild-s.sqlite"
        chance = random.Random(seed)
        self.pages = [
            [
                Fetched(
                    START_MS + chance.randrange(3 * 86_400_000),
                    {"id": chance.randrange(9), "repo": chance.choice("ab"),
                     "n": chance.choice([1, 2.5, 0.1, -3]), "other": chance.choice("xy")},
                )
                for _ in range(6)
            ]
            for _ in range(5)
        ]  # fmt: skip
        for number, page in enumerate(self.pages, 1):
            of = Written(number, 1, 0)
            self.archive.write("s", of, None, cut("s", of, page))

    def records(self, mapping: Mapping = BY_ID) -> list[Record]:
        """As they went to the stream."""
        return [
            record_of(mapping, record.ts_ms, version, record.attributes)
            for number, page in enumerate(self.pages, 1)
            for each in cut("s", Written(number, 1, 0), page)
            for version, record in enumerate(each.records, version_of(number, each.first))
        ]

    def stream(self, records: list[Record]) -> None:
        self.run(self.log.append(EVENTS, 0, [(b"k", encode(one), None, ()) for one in records]))
        self.run(self.work(1_000, True))

    async def rebuild(self, mapping: Mapping = BY_ID) -> Rebuilt:
        work = RollUp(NAMES, self.open)
        await work.assign({(EVENTS, 0)})
        return await rebuild(work, 0, self.archive, mapping, self.scratch)


def wanted(records: list[Record]) -> tuple[dict[bytes, bytes], dict[str, dict[str, Any]]]:
    """Rows but those of buckets, and what is told of buckets, from the records alone."""
    book = MemoryBook()
    rolling = Rolling(book)
    for record in records:
        rolling.take(record)
    rolling.close()
    told = {key.decode(): {**value, "revision": 0} for _, key, value in book.sent if value["count"]}
    return {k: v for k, v in book.rows.items() if k[:1] in b"kqv"}, told


def found(world: Kept) -> tuple[dict[bytes, bytes], dict[str, dict[str, Any]]]:
    rows = world.run(world.rows()) or {}
    assert not [key for key in rows if key[:1] == b"u"]
    told = {k: {**v, "revision": 0} for k, v in world.told().items() if v["count"]}
    return {k: v for k, v in rows.items() if k[:1] in b"kqv"}, told


def test_a_rebuild_of_what_is_right_changes_and_tells_nothing(tmp_path: Path) -> None:
    world = Kept(tmp_path, 1)
    world.stream(world.records())
    before = world.run(world.rows()), len(world.log.rows["rollups", 0])
    result = world.run(world.rebuild())
    assert result is not None and (result.changed, result.dropped, result.told) == (0, 0, 0)
    assert (world.run(world.rows()), len(world.log.rows["rollups", 0])) == before
    assert not world.scratch.exists()


@pytest.mark.parametrize("seed", range(6))
def test_a_rebuild_that_is_killed_again_and_again_comes_to_the_same(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    world = Kept(tmp_path, seed)
    records = world.records()
    lost = [one for one in records if chance.random() < 0.6]
    strays = [Record("s", f"gone{n}", START_MS, 7, {}, records[n].values) for n in range(3)]
    world.stream(strays + lost)
    new = Mapping("s", (STARS, Metric("seen", 1, "counter", ())), ("id", "other"), "Asia/Kolkata")
    mapping = chance.choice([BY_ID, new])
    result = None
    while result is None:
        world.kill_on = chance.choice([None, None, 0, 1, 2, 3, 4])
        if world.kill_on is not None and chance.random() < 0.5:
            world.log.survives = lambda _topic, n: chance.randrange(n + 1) if n > 1 else n
        result = world.run(world.rebuild(mapping))
        world.log.survives = lambda _topic, n: n
    world.kill_on = None
    assert found(world) == wanted(world.records(mapping))
    again = world.run(world.rebuild(mapping))
    assert again is not None and (again.changed, again.dropped, again.told) == (0, 0, 0)


def test_records_that_come_meanwhile_or_were_archived_later_stay(tmp_path: Path) -> None:
    world = Kept(tmp_path, 2)
    later = record_of(BY_ID, START_MS, version_of(9, 0), {"id": 99, "repo": "a", "n": 5})
    world.stream([*world.records(), later])
    world.run(world.rebuild())
    assert found(world) == wanted([*world.records(), later])


def test_without_an_archive_nothing_is_dropped(tmp_path: Path) -> None:
    world = Kept(tmp_path, 3)
    world.stream(world.records())
    elsewhere = Mapping("other", (STARS,), ("id",), "UTC")
    with pytest.raises(NothingArchived, match="nothing of source 'other'"):
        asyncio.run(world.rebuild(elsewhere))
