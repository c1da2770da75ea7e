"""The archive: pages whole or not at all, the newest writing, joining without a change."""

import random
from pathlib import Path
from typing import Any

import fastavro
import pytest

from connectors.archive.archive import Archive
from connectors.archive.avro import Unreadable
from connectors.files.local import LocalFiles
from domain.metrics.fetched import Fetched, cut
from domain.metrics.page_names import Written

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def page(number: int, count: int, hours: int = 3) -> list[Fetched]:
    return [
        Fetched(NOW_MS + n % hours * HOUR_MS + n, {"id": number * 100 + n, "half": 0.5, "no": None})
        for n in range(count)
    ]


def write(archive: Archive, of: Written, records: list[Fetched]) -> list[str]:
    cuts = cut("s", of, records)
    archive.write("s", of, {"at": of.number}, cuts)
    return [each.name for each in cuts]


def told(archive: Archive) -> list[tuple[int, Fetched]]:
    found = [(each.version, each.record) for each in archive.records("s")]
    return sorted(found, key=lambda each: each[0])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(LocalFiles(tmp_path))


def test_files_stand_in_the_folder_of_their_hour_as_plain_avro(
    archive: Archive, tmp_path: Path
) -> None:
    write(archive, Written(1), page(1, 4, hours=2))
    files = sorted(tmp_path.glob("s/2023/11/14/*/*.avro"))
    assert [path.parent.name for path in files] == ["22", "23"]
    with files[1].open("rb") as file:
        reader = fastavro.reader(file)
        assert reader.codec == "deflate"
        assert (reader.metadata["sluice.page"], reader.metadata["sluice.pages"]) == ("2", "2")
        assert reader.metadata["sluice.cursor"] == '{"at":1}'
        rows: list[Any] = list(reader)
    assert [row["attributes"]["id"] for row in rows] == [101, 103]
    assert list(rows[0]) == ["ts", "attributes"]
    assert rows[0]["attributes"] == {"id": 101, "half": 0.5, "no": None}


def test_a_page_without_its_last_file_does_not_count(archive: Archive, tmp_path: Path) -> None:
    write(archive, Written(1), page(1, 2))
    names = write(archive, Written(2), page(2, 6))
    (tmp_path / names[-1]).unlink()
    assert [record.attributes["id"] for _, record in told(archive)] == [100, 101]
    assert not archive.has(names)
    newest = archive.newest("s")
    assert newest == (Written(1), {"at": 1})


def test_of_two_writings_of_a_page_the_later_counts(archive: Archive) -> None:
    write(archive, Written(1, epoch=2, attempt=1), page(3, 3))
    write(archive, Written(1, epoch=2), page(2, 3))
    write(archive, Written(1, epoch=1, attempt=9), page(1, 3))  # by one that had lost the source
    assert [record.attributes["id"] for _, record in told(archive)] == [300, 301, 302]


def test_writing_a_page_again_changes_nothing(archive: Archive) -> None:
    write(archive, Written(1), page(1, 5))
    before = told(archive)
    write(archive, Written(1), page(1, 5))
    assert told(archive) == before


@pytest.mark.parametrize("seed", range(8))
def test_joining_changes_no_record_and_no_version(
    archive: Archive, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    number = 0
    for _ in range(3):
        for _ in range(rng.randrange(1, 5)):
            number += 1
            write(archive, Written(number, rng.randrange(3)), page(number, rng.randrange(1, 7)))
        names = write(archive, Written(number, 7), page(number + 500, 6))  # a later writing
        broken = write(archive, Written(number, 9), page(number + 600, 6))
        (tmp_path / broken[-1]).unlink()
        assert names
        before, newest = told(archive), archive.newest("s")
        joined = archive.compact("s", NOW_MS + rng.randrange(4) * HOUR_MS)
        assert joined >= 0
        assert told(archive) == before
        assert archive.newest("s") == newest
    write(archive, Written(number + 1), page(1, 1))
    before = told(archive)
    archive.compact("s", NOW_MS + 10 * HOUR_MS)
    assert told(archive) == before
    newest_page = f"{number + 1:010}-"
    folders = [p.parent for p in tmp_path.rglob("*.avro") if not p.name.startswith(newest_page)]
    assert len(folders) == len(set(folders)), "a file an hour, and the newest page"


def test_a_kill_in_joining_leaves_records_that_count_once(archive: Archive, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(archive, Written(number), page(number, 4))
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.avro")}
    before = told(archive)
    archive.compact("s", NOW_MS + 9 * HOUR_MS)
    for path, content in kept.items():  # as if none of them had been removed
        path.write_bytes(content)
    assert told(archive) == before
    archive.compact("s", NOW_MS + 9 * HOUR_MS)
    assert told(archive) == before
    assert len(list(tmp_path.rglob("*.avro"))) == 3 + 3, (
        "an hour's joined file, and the newest page"
    )


def test_a_file_that_is_no_avro_is_named(archive: Archive, tmp_path: Path) -> None:
    (name,) = write(archive, Written(1), page(1, 1))
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(Unreadable, match=name):
        told(archive)
