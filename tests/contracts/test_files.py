"""What every tree of files does: the same on a folder and on S3."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.files.base import Conflict, Files, FilesRefused, FilesUnavailable, Missing
from connectors.files.opening import open_file, open_files
from connectors.files.s3_access import S3Access
from domain.errors import UsageError
from scripts.house.s3 import S3
from tests.contracts.files import Tree, access_of, tree

LARGE = bytes(range(256)) * 4096 * 21  # 21 MiB: three parts of an upload


@pytest.fixture(params=["folder", "s3_url"])
def a_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """An empty tree."""
    return tree(request, tmp_path)


@pytest.fixture
def files(a_tree: Tree) -> Files:
    """It, open."""
    return a_tree.open()


def put(files: Files, name: str, content: bytes) -> str:
    """Writes a file whole; returns its tag."""
    writing = files.write(name)
    writing.write(content)
    found = writing.place()
    assert (found.name, found.size) == (name, len(content))
    return found.tag


def bytes_of(files: Files, name: str, start: int = 0, end: int | None = None) -> bytes:
    """A file as its stream gives it."""
    reading = files.open(name, start, end)
    pieces = list(iter(lambda: reading.read(1 << 20), b""))
    reading.close()
    return b"".join(pieces)


@pytest.mark.parametrize("content", [b"", b"few", LARGE], ids=["empty", "small", "large"])
def test_a_file_is_read_as_it_was_written(files: Files, content: bytes) -> None:
    tag = put(files, "a/b.csv.gz", content)
    assert bytes_of(files, "a/b.csv.gz") == content
    assert files.read("a/b.csv.gz") == (content, tag)
    found = files.stat("a/b.csv.gz")
    assert found is not None
    assert (found.size, found.tag) == (len(content), tag)


def test_a_part_of_a_file_is_read(files: Files) -> None:
    put(files, "large", LARGE)
    assert bytes_of(files, "large", 9_000_001, 9_000_011) == LARGE[9_000_001:9_000_011]
    assert bytes_of(files, "large", len(LARGE) - 3) == LARGE[-3:]
    assert bytes_of(files, "large", 5, 5) == b""
    assert bytes_of(files, "large", len(LARGE) + 5) == b""


def test_nothing_is_seen_before_a_file_is_in_place(files: Files) -> None:
    writing = files.write("a/large")
    writing.write(LARGE)
    assert list(files.list()) == []
    assert files.stat("a/large") is None
    writing.drop()
    assert list(files.list()) == []
    assert files.sweep("") == 0


@pytest.mark.parametrize("content", [b"second", LARGE], ids=["small", "large"])
def test_a_name_that_is_taken_keeps_its_file(files: Files, content: bytes) -> None:
    put(files, "a", b"first")
    writing = files.write("a")
    writing.write(content)
    with pytest.raises(Conflict, match="written by somebody else"):
        writing.place()
    assert bytes_of(files, "a") == b"first"
    assert files.sweep("") == 0


@pytest.mark.parametrize("size", [1, 9 << 20], ids=["small", "large"])
def test_of_many_writers_one_puts_its_file_into_place(a_tree: Tree, size: int) -> None:
    def write(number: int) -> bool:
        writing = a_tree.open().write("a/one")
        writing.write(bytes([number]) * size)
        try:
            writing.place()
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        placed = list(pool.map(write, range(6)))
    assert sum(placed) == 1
    assert bytes_of(a_tree.open(), "a/one") == bytes([placed.index(True)]) * size


def test_files_are_listed_by_name_below_a_prefix(files: Files) -> None:
    names = ["a/b/1", "a/b/2", "a/b-c", "a/bc/3", "a/ä", "b"]
    for name in names:
        put(files, name, name.encode())
    assert [found.name for found in files.list()] == sorted(names, key=str.encode)
    assert [found.name for found in files.list("a/b/")] == ["a/b/1", "a/b/2"]
    assert [found.name for found in files.list("a/b")] == ["a/b-c", "a/b/1", "a/b/2", "a/bc/3"]
    assert list(files.list("c")) == []
    assert {found.size for found in files.list("a/b/")} == {5}


def test_more_files_than_a_page_are_listed(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.files.s3.PAGE", 10)
    names = [f"many/{number:02}" for number in range(35)]
    for name in names:
        put(files, name, b"1")
    assert [found.name for found in files.list("many/")] == names


def test_a_swap_replaces_what_the_caller_knows_and_nothing_else(files: Files) -> None:
    first = files.swap("m.json", b"1", None)
    with pytest.raises(Conflict):
        files.swap("m.json", b"2", None)
    second = files.swap("m.json", b"2", first)
    with pytest.raises(Conflict):
        files.swap("m.json", b"3", first)
    assert files.read("m.json") == (b"2", second)
    files.remove("m.json")
    with pytest.raises(Conflict):
        files.swap("m.json", b"3", second)
    assert files.read("m.json") is None


def test_of_many_swaps_none_is_lost(a_tree: Tree) -> None:
    a_tree.open().swap("count", b"0", None)

    def count(_: int) -> None:
        files = a_tree.open()
        while True:
            known = files.read("count")
            assert known is not None
            try:
                files.swap("count", b"%d" % (int(known[0]) + 1), known[1])
            except Conflict:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(24)))
    known = a_tree.open().read("count")
    assert known is not None
    assert known[0] == b"24"


def test_a_file_is_removed_if_it_is_the_one(files: Files) -> None:
    first = files.swap("a", b"1", None)
    second = files.swap("a", b"2", first)
    with pytest.raises(Conflict):
        files.remove("a", first)
    assert files.read("a") == (b"2", second)
    files.remove("a", second)
    assert files.stat("a") is None
    files.remove("a", second)
    files.remove("a")


def test_a_file_that_is_not_there_is_missing(files: Files) -> None:
    assert files.stat("none/such") is None
    assert files.read("none/such") is None
    with pytest.raises(Missing, match="none/such is not there"):
        bytes_of(files, "none/such")


@pytest.mark.parametrize("name", ["", "/a", "a//b", "../a", "a/./b", "a\0"])
def test_a_name_that_could_leave_the_tree_is_refused(files: Files, name: str) -> None:
    with pytest.raises(FilesRefused, match="is no name of a file"):
        files.write(name)


def test_names_keep_what_is_in_them(files: Files) -> None:
    names = ["AdDate=2025-11-02/B_1/F.B_1.c%20d.csv.gz", "a b+c&d?e#f", "ä/日本"]
    for name in names:
        put(files, name, b"1")
        assert bytes_of(files, name) == b"1"
    assert [found.name for found in files.list()] == sorted(names, key=str.encode)


def test_a_writer_that_is_killed_leaves_nothing_to_be_seen(a_tree: Tree) -> None:
    files = a_tree.open()
    put(files, "a/before", b"1")
    keys = [a_tree.access.endpoint, a_tree.access.access_key, a_tree.access.secret_key]
    command = [sys.executable, "-m", "tests.contracts.file_writer", a_tree.address, *keys]
    with subprocess.Popen([*command, "a/large"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        writer.kill()
    assert [found.name for found in files.list()] == ["a/before"]
    assert files.sweep("b/") == 0
    assert files.sweep("a/") == 1
    assert files.sweep("a/") == 0
    put(files, "a/large", LARGE)
    assert [found.name for found in files.list()] == ["a/before", "a/large"]


@pytest.fixture
def own(own_s3: S3) -> Iterator[tuple[S3, Callable[[], Files]]]:
    """A server of S3 that may be stopped, and the way to a tree on it."""
    access, bucket = access_of(own_s3.url)
    yield own_s3, lambda: open_files(f"s3://{bucket}/t", access)


def test_a_server_that_is_away_is_told_and_reading_goes_on_when_it_is_back(
    own: tuple[S3, Callable[[], Files]],
) -> None:
    server, opened = own
    files = opened()
    put(files, "large", LARGE)
    tag = files.swap("m.json", b"1", None)
    reading = files.open("large")
    begun = reading.read(1000)
    server.stop(hard=True)
    with pytest.raises(FilesUnavailable, match=r"s3://sluice-test/t/m\.json is not available"):
        files.swap("m.json", b"2", tag)
    server.start()
    assert begun + b"".join(iter(lambda: reading.read(1 << 20), b"")) == LARGE
    assert files.read("m.json") == (b"1", tag)


def test_a_file_replaced_while_it_is_read_is_told(s3_url: str) -> None:
    access, bucket = access_of(s3_url)
    files = open_files(f"s3://{bucket}/replaced", access)
    files.remove("a")
    tag = files.swap("a", b"first", None)
    reading = files.open("a")
    files.swap("a", b"other", tag)
    with pytest.raises(Conflict):
        reading.read(5)


def test_who_may_not_and_what_is_not_there_is_told_without_the_secret(s3_url: str) -> None:
    access, bucket = access_of(s3_url)
    wrong = S3Access(access.endpoint, access.region, access.access_key, "not-the-secret")
    with pytest.raises(FilesUnavailable) as told:
        open_files(f"s3://{bucket}/t", wrong).read("a")
    assert "not-the-secret" not in str(told.value)
    with pytest.raises(FilesUnavailable, match="there is no such bucket"):
        open_files("s3://no-such-bucket/t", access).read("a")


@pytest.mark.parametrize("address", ["s3://", "s3:///a", "s3://b", "s3://b/"])
def test_an_address_of_no_file_is_wrong(address: str) -> None:
    with pytest.raises(UsageError, match="expected s3://bucket"):
        open_file(address)


def test_one_file_is_opened_by_its_address(s3_url: str) -> None:
    access, bucket = access_of(s3_url)
    open_files(f"s3://{bucket}/one", access).remove("a.csv.gz")
    put(open_files(f"s3://{bucket}/one", access), "a.csv.gz", b"1")
    files, name = open_file(f"s3://{bucket}/one/a.csv.gz", access)
    assert (files.where, name) == (f"s3://{bucket}/one", "a.csv.gz")
    assert files.read(name) is not None
