"""A store whose files are damaged, or that something else has open."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tables.store import RocksStore, StoreDamaged, StoreNotOpened

MEMORY = 8 << 20


def written(path: Path) -> Path:
    """A closed store with a row on disk."""
    store = RocksStore(path, MEMORY, durable=False)
    store.write([(b"a", b"1")])
    store.close()
    return path


def manifest(path: Path) -> Path:
    return path / (path / "CURRENT").read_text().strip()


def no_list_of_files(path: Path) -> None:
    (path / "CURRENT").write_text("MANIFEST-999999\n")


def garbage_for_a_list(path: Path) -> None:
    manifest(path).write_bytes(b"garbage" * 100)


def no_name_of_a_list(path: Path) -> None:
    (path / "CURRENT").write_text("what?")


def no_rows(path: Path) -> None:
    for file in path.glob("*.sst"):
        file.unlink()


DAMAGES = pytest.mark.parametrize(
    "damage", [no_list_of_files, garbage_for_a_list, no_name_of_a_list, no_rows]
)


@DAMAGES
def test_a_damaged_store_is_moved_aside_and_begun_empty(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = written(tmp_path / "sessions-0")
    damage(path)
    store = RocksStore(path, MEMORY, durable=False)
    assert store.moved_aside == tmp_path / "sessions-0.damaged-1"
    assert any(store.moved_aside.iterdir())
    assert store.get_many([b"a"]) == [None]
    store.write([(b"a", b"2")])
    store.close()
    again = RocksStore(path, MEMORY, durable=False)
    assert (again.moved_aside, again.get_many([b"a"])) == (None, [b"2"])
    again.close()


@DAMAGES
def test_one_that_nothing_else_has_stays_where_it_is(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = written(tmp_path / "sessions-0")
    damage(path)
    with pytest.raises(StoreDamaged, match=f"{path}: the state can't be read"):
        RocksStore(path, MEMORY, durable=True)
    assert [each.name for each in tmp_path.iterdir()] == ["sessions-0"]


def test_one_that_is_open_elsewhere_is_no_damaged_one(tmp_path: Path) -> None:
    path = written(tmp_path / "sessions-0")
    first = RocksStore(path, MEMORY, durable=False)
    with pytest.raises(StoreNotOpened, match="see that no other process has it"):
        RocksStore(path, MEMORY, durable=False)
    assert [each.name for each in tmp_path.iterdir()] == ["sessions-0"]
    assert first.get_many([b"a"]) == [b"1"]
    first.close()
