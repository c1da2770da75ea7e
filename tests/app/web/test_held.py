"""Files held between a dry run and the deed: their visitor's, for a while, a few at one time."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import BodyPartReader

from app.web import held
from app.web.held import HeldFile, HeldFiles
from app.web.problems import ProblemError

MOST = 4 << 20


class Part(BodyPartReader):
    """A part of a form that comes in pieces."""

    def __init__(self, filename: str, pieces: list[bytes]) -> None:
        self._named, self._pieces = filename, iter([*pieces, b""])

    @property
    def filename(self) -> str | None:
        return self._named

    async def read_chunk(self, size: int = 0) -> bytes:
        return next(self._pieces)


@pytest.fixture
def files() -> Iterator[HeldFiles]:
    """Files that are let go of in the end."""
    found = HeldFiles()
    yield found
    found.close()


def take(files: HeldFiles, visitor: str = "v", pieces: list[bytes] | None = None) -> HeldFile:
    found = asyncio.run(files.take(Part("a.csv", pieces or [b"number\n"]), visitor, MOST))
    assert found is not None
    return found


async def whole(file: HeldFile) -> bytes:
    return b"".join([piece async for piece in file.pieces()])


def test_a_file_is_read_as_often_as_it_is_asked_for(files: HeldFiles) -> None:
    pieces = [b"x" * held.PIECE_BYTES, b"number\n"]
    found = take(files, pieces=pieces)
    assert found.size == held.PIECE_BYTES + 7
    for _ in range(2):
        assert asyncio.run(whole(found)) == b"".join(pieces)


def test_a_file_is_found_by_its_visitor_until_it_is_used(files: HeldFiles) -> None:
    found = take(files)
    assert files.find(found.id, "v") is found
    assert files.find(found.id, "w") is None
    files.drop(found)
    assert files.find(found.id, "v") is None
    assert found.file.closed


def test_a_file_is_read_to_its_end_though_it_is_let_go_of(files: HeldFiles) -> None:
    found = take(files, pieces=[b"x" * held.PIECE_BYTES, b"end"])

    async def read() -> bytes:
        pieces = found.pieces()
        first = await anext(pieces)
        files.drop(found)
        return first + b"".join([piece async for piece in pieces])

    assert asyncio.run(read()).endswith(b"end")


def test_no_file_chosen_is_none(files: HeldFiles) -> None:
    assert asyncio.run(files.take(Part("", []), "v", MOST)) is None


def test_a_file_goes_after_a_while(files: HeldFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    found = take(files)
    monkeypatch.setattr(held, "KEPT_S", -1.0)
    assert files.find(found.id, "v") is None
    assert found.file.closed


def test_the_oldest_goes_for_a_new_one(files: HeldFiles) -> None:
    taken = [take(files) for _ in range(held.FILES_MAX + 2)]
    kept = [one for one in taken if files.find(one.id, "v")]
    assert kept == taken[-held.FILES_MAX :]


def test_a_form_that_breaks_off_leaves_nothing(files: HeldFiles) -> None:
    class Broken(Part):
        async def read_chunk(self, size: int = 0) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(files.take(Broken("a.csv", []), "v", MOST))
    assert not files._files


def test_a_file_larger_than_the_limit_leaves_nothing(files: HeldFiles) -> None:
    pieces = [b"x" * held.PIECE_BYTES] * 5
    with pytest.raises(ProblemError, match="larger than 4,194,304 bytes"):
        take(files, pieces=pieces)
    assert not files._files
