"""CSV row by row: what is in it, what is wrong in it, and where it goes on."""

import csv
import gzip
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.formats import csv_rows
from connectors.formats.csv_rows import (
    HEAD_BYTES,
    ROW_BYTES,
    BadHeader,
    Fault,
    NotCsv,
    Row,
    check_head,
    header,
    rows,
    unpacked,
)

CELL = st.text(st.sampled_from('ab,"\n 7é=\t'), max_size=5)
FILES = st.binary(max_size=80) | st.lists(
    st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b'""', b"\xff", b"\xc3\xa9"]), max_size=40
).map(b"".join)


def read(content: bytes, at: int = 0, width: int | None = None) -> list[Row]:
    file = io.BytesIO(content)
    file.seek(at)
    return list(rows(file, at, width))


def faults(content: bytes, width: int = 2) -> list[Fault | None]:
    return [row.fault for row in read(content, width=width)]


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=8), st.sampled_from(["\n", "\r\n"])
)
def test_what_is_written_as_csv_is_read_again(table: list[list[str]], end: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(table)
    found = read(text.getvalue().encode(), width=2)
    assert [row.cells for row in found] == table
    assert all(row.fault is None for row in found)


@given(FILES)
@example(b'"a\n\n"b')
def test_every_byte_is_of_one_row_and_any_row_can_be_gone_on_from(content: bytes) -> None:
    found = read(content)
    at = 0
    for place, row in enumerate(found):
        assert content[row.end - len(row.raw) : row.end] == row.raw
        assert not content[at : row.end - len(row.raw)].strip(b"\r\n")  # blank lines between
        at = row.end
        assert read(content, at) == found[place + 1 :]
    assert not content[at:].strip(b"\r\n")


@given(FILES, st.integers(1, 60))
def test_packed_is_read_as_plain(content: bytes, part: int) -> None:
    packed = b"".join(gzip.compress(content[i : i + part]) for i in range(0, len(content), part))
    if not packed:
        return
    file = unpacked(io.BytesIO(packed))
    assert list(rows(file, 0, None)) == read(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a,b\n", [None]),
        (b"a\n", [Fault(1, "bad_row", "a")]),
        (b"a,b,c\n", [Fault(None, "bad_row", "a,b,c")]),
        (b"a,\xff\nc,d\n", [Fault(1, "bad_encoding", "\\xff"), None]),
        (b'"a\xffb,c",d\n', [Fault(0, "bad_encoding", "a\\xffb,c")]),
        (b'"a"b,c\nd,e', [Fault(None, "bad_quotes", '"a"b,c'), None]),
        (b'"a,b\nc,d\ne,f\n', [Fault(None, "bad_quotes", '"a,b'), None, None]),
        (b'5" pipe,c\nd,e\n', [None, None]),
        (b"a,b\rc,d\n", [Fault(None, "bad_quotes", "a,b\rc,d")]),
        (b"\n\r\n\na,b\n\n", [None]),
        (b"a,\x00\n", [None]),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(text: bytes, expected: list[Any]) -> None:
    assert faults(text) == expected


def test_a_row_too_long_is_passed_over_with_bounded_memory() -> None:
    class Counting(io.BytesIO):
        most = 0

        def readline(self, size: int | None = -1) -> bytes:
            line = super().readline(size)
            Counting.most = max(Counting.most, len(line))
            return line

    long = b"x" * (10 * ROW_BYTES)
    found = list(rows(Counting(b"a,b\n" + long + b"\nc,d\n" + long), 0, 2))
    assert [row.fault and row.fault.code for row in found] == [None, "too_long", None, "too_long"]
    assert found[2].cells == ["c", "d"]
    assert found[3].end == 2 * len(long) + 9
    assert Counting.most == ROW_BYTES + 1


def test_quotes_left_open_swallow_no_more_than_a_row() -> None:
    lines = [b'"open,b\n', *(b"%07d,b\n" % n for n in range(ROW_BYTES // 10))]
    found = read(b"".join(lines), width=2)
    assert [row.fault and row.fault.code for row in found] == ["bad_quotes"] + [None] * (
        len(lines) - 1
    )
    assert [row.cells[0] for row in found[1:]] == [f"{n:07}" for n in range(len(lines) - 1)]


def test_a_gzip_that_breaks_off_ends_with_a_fault() -> None:
    content = b"".join(b"%d,x\n" % n for n in range(20_000))
    packed = gzip.compress(content)[:-300]
    found = list(rows(unpacked(io.BytesIO(packed)), 0, 2))
    assert [row.fault and row.fault.code for row in found][-1] == "bad_gzip"
    assert all(row.fault is None for row in found[:-2])


def test_a_gzip_that_grows_beyond_measure_ends_with_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What came before is there; a long row is passed over no further than that either."""
    monkeypatch.setattr(csv_rows, "GROWS_FREELY", 3 * ROW_BYTES)
    for bomb in (b"1,x\n" * 20 * ROW_BYTES, b"1,x\n" * 10 + b"0" * (60 * ROW_BYTES)):
        packed = gzip.compress(bomb)
        assert len(bomb) > csv_rows.GROWS_MOST * len(packed)
        content = unpacked(io.BytesIO(packed))
        found = list(rows(content, 0, 2))
        assert found[-1].fault and found[-1].fault.code == "bad_gzip"
        assert "unpacks to more than" in found[-1].fault.value
        assert all(row.fault is None for row in found[:-1])
        most = max(3 * ROW_BYTES, csv_rows.GROWS_MOST * len(packed))
        assert content.tell() <= most + ROW_BYTES + 1
    fair = gzip.compress(b"".join(b"%d,x\n" % n for n in range(100_000)))
    assert all(row.fault is None for row in rows(unpacked(io.BytesIO(fair)), 0, 2))


@pytest.mark.parametrize(
    ("text", "names", "following"),
    [
        (b"number,name\r\n1,2", ["number", "name"], 13),
        (b"\xef\xbb\xbfnumber,name\n", ["number", "name"], 15),
        (b'\n"num""ber", name \n', ['num"ber', "name"], 19),
    ],
)
def test_a_header_names_the_columns(text: bytes, names: list[str], following: int) -> None:
    assert header(io.BytesIO(text)) == (names, following)


@pytest.mark.parametrize("text", [b"", b"\n\n", b"a,a\n", b"a,,b\n", b'"a\n', b"a,\xff\n"])
def test_a_header_that_names_nothing_is_refused(text: bytes) -> None:
    with pytest.raises(BadHeader):
        header(io.BytesIO(text))


@pytest.mark.parametrize(
    "content",
    [
        "number\n1\n".encode("utf-16"),
        b"number\n" + b"a" * 1_000 + b"\xff",
        b"PK\x03\x04\xff\xfe",
        b"\x1f\x8bnot gzip at all",
        gzip.compress(b"number\n\xff\n", mtime=0),
        gzip.compress(b"number\n", mtime=0)[:-9],
    ],
)
def test_what_is_no_text_is_told_at_once(content: bytes) -> None:
    with pytest.raises(NotCsv):
        check_head(unpacked(io.BytesIO(content)))


def test_a_character_cut_by_the_end_of_the_head_is_no_fault() -> None:
    check_head(io.BytesIO(b"a" * (HEAD_BYTES - 1) + "é".encode() + b"\xff"))
    with pytest.raises(NotCsv):
        check_head(io.BytesIO(b"a" * (HEAD_BYTES - 1) + b"\xff"))
    with pytest.raises(NotCsv):
        check_head(io.BytesIO(b"a\xc3"))
