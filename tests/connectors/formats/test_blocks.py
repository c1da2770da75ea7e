"""Blocks of whole lines: nothing is lost, and it does not matter how the bytes arrive."""

import csv

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.blocks import Block, Blocks, character_at, line_ends
from connectors.formats.records import Position
from tests.connectors.formats.inputs import trickle

TABLE = bytes(b'ab\n"'[byte % 4] for byte in range(256))
texts = st.binary(max_size=200).map(lambda data: data.translate(TABLE))
slow = settings(deadline=None)  # the first call loads numpy
sizes = st.lists(st.integers(1, 50), min_size=1, max_size=5)


def blocks(data: bytes, size: int, longest: int, pieces: list[int], quoted: bool) -> list[Block]:
    return list(Blocks(trickle(data, pieces), Position(), longest, quoted=quoted, size=size))


@slow
@given(texts, st.integers(1, 40), st.integers(1, 60), st.booleans())
def test_every_line_is_in_one_block_with_its_number(
    data: bytes, size: int, longest: int, quoted: bool
) -> None:
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    found: list[tuple[int, bytes]] = []
    for block in blocks(data, size, longest, [1000], quoted):
        if block.too_long is None:
            some = block.text.split(b"\n")
            assert len(some) == block.lines
            found += zip(range(block.first, block.first + block.lines), some, strict=True)
        else:
            line = lines[block.first - 1]
            assert len(line) == block.too_long > max(size, longest)
            assert line.startswith(block.text) and len(block.text) <= max(size, longest)
            found.append((block.first, line))
    assert found == list(enumerate(lines, 1))


@slow
@given(texts, st.integers(1, 40), st.integers(1, 60), sizes, st.booleans())
def test_blocks_do_not_depend_on_how_the_bytes_arrive(
    data: bytes, size: int, longest: int, pieces: list[int], quoted: bool
) -> None:
    assert blocks(data, size, longest, pieces, quoted) == blocks(
        data, size, longest, [1000], quoted
    )


@slow
@given(texts, st.integers(1, 40), st.integers(1, 60), st.booleans(), st.data())
def test_from_the_end_of_a_block_the_same_blocks_follow(
    data: bytes, size: int, longest: int, quoted: bool, draw: st.DataObject
) -> None:
    whole = blocks(data, size, longest, [1000], quoted)
    if whole:
        at = draw.draw(st.integers(0, len(whole) - 1))
        end = whole[at].end
        rest = Blocks(trickle(data[end.offset :], [7]), end, longest, quoted=quoted, size=size)
        assert list(rest) == whole[at + 1 :]


@slow
@given(st.lists(st.lists(st.text("ab\n", max_size=9), min_size=2, max_size=2), max_size=20))
def test_quoted_blocks_never_cut_a_cell(rows: list[list[str]]) -> None:
    text = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    found: list[list[str]] = []
    for block in blocks(text.encode(), 5, 1000, [3], True):
        lines = [line + "\n" for line in block.text.decode().split("\n")]
        found += csv.reader(lines, strict=True)
    assert found == rows


def test_the_first_line_is_read_to_the_end_of_its_quotes() -> None:
    data = b'a,"b\nc",d\nx,y,z\n'
    first = Blocks(trickle(data, [4]), Position(), 100, quoted=True, size=4).first_line()
    assert first == Block(b'a,"b\nc",d', 1, 2, Position(2, 10))
    assert Blocks(trickle(b"", [1]), Position(), 100).first_line() is None


@slow
@given(texts)
def test_line_ends_and_lengths_are_those_of_the_text(data: bytes) -> None:
    ends = line_ends(data)
    assert ends.tolist() == [i for i, byte in enumerate(data) if byte == 10]
    assert set(character_at(data, ends).tolist()) <= {10}
    lengths = list(map(len, data.split(b"\n")))
    assert Block(data, 1, len(lengths), Position()).line_lengths() == (min(lengths), max(lengths))
