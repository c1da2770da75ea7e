"""CSV: text cells, an empty one is absent; the same whether Arrow or `csv` takes a block apart."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.formats import blocks, csv_columns
from connectors.formats.csv import CsvReader
from connectors.formats.records import InputError, Position
from tests.connectors.formats.inputs import LIMIT, read, reader, rows_of, source

function_scoped = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=[0, 1 << 30], ids=["by Arrow", "by csv"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to take a block apart."""
    monkeypatch.setattr(csv_columns, "LARGE_BYTES", request.param)


def file_of(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.usefixtures("way")
def test_cells_are_text_and_empty_ones_absent(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a,b,c\n1,,NA\n,\u00e9 x,null\n")
    assert read(file, ["a", "b", "c", "d"])[0] == [
        (2, {"a": "1", "c": "NA"}),
        (3, {"b": "\u00e9 x", "c": "null"}),
    ]


@pytest.mark.usefixtures("way")
def test_where_only_a_number_is_wanted_numeric_text_is_one(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a,b\n1,0.10\n007,NaN\n-0,1e3\n")
    rows, _ = read(file, {"a": "number", "b": "number"})
    assert [row for _, row in rows] == [
        {"a": 1, "b": Decimal("0.10")},
        {"a": "007", "b": "NaN"},
        {"a": 0, "b": Decimal("1e3")},
    ]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_marks_and_blank_lines_are_no_content(tmp_path: Path, ending: str) -> None:
    file = file_of(tmp_path, "\ufeffa,b\n1,2\n\n3,4".replace("\n", ending))
    assert read(file, ["a", "b"]) == ([(2, {"a": "1", "b": "2"}), (4, {"a": "3", "b": "4"})], [])


@pytest.mark.usefixtures("way")
def test_a_row_of_another_width_is_refused(tmp_path: Path) -> None:
    rows, refused = read(file_of(tmp_path, "a,b\n1,2\n3\n4,5,6\n7,8\n"), ["a"])
    assert [line for line, _ in rows] == [2, 5]
    assert refused == [
        (3, "undecodable", "the row has 1 cells, the header 2"),
        (4, "undecodable", "the row has 3 cells, the header 2"),
    ]


@pytest.mark.usefixtures("way")
def test_a_row_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    rows, refused = read(file_of(tmp_path, b"a,b\n1,2\n3,\xff\n\xc3\xa9,6\n"), ["a"])
    assert rows == [(2, {"a": "1"}), (4, {"a": "\u00e9"})]
    assert refused == [(3, "undecodable", "the row is not UTF-8")]


def test_quoted_cells_may_hold_anything(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'a,b\n"x,\n""y""",1\n2,"\n"\n3,4\n')
    rows, refused = read(file, ["a", "b"])
    assert rows == [
        (2, {"a": 'x,\n"y"', "b": "1"}), (4, {"a": "2", "b": "\n"}), (6, {"a": "3", "b": "4"}),
    ]  # fmt: skip
    assert refused == []


def test_quotes_that_are_left_open_refuse_their_row(tmp_path: Path) -> None:
    rows, refused = read(file_of(tmp_path, 'a,b\n1,2\n"x"y,3\n4,5\n"z,6\n'), ["a"])
    assert [line for line, _ in rows] == [2, 4]
    assert [(line, reason) for line, reason, _ in refused] == [
        (3, "undecodable"), (5, "undecodable"),
    ]  # fmt: skip


@pytest.mark.usefixtures("way")
def test_a_row_above_the_limit_is_refused(tmp_path: Path) -> None:
    rows, refused = read(file_of(tmp_path, "a,b\n1,2\n" + "x" * 60 + ",3\n4,5\n"), ["a"], limit=50)
    assert [line for line, _ in rows] == [2, 4]
    assert refused == [(3, "too_large", "62 bytes, the limit is 50")]


def test_a_header_with_dots_leads_into_objects(tmp_path: Path) -> None:
    file = file_of(tmp_path, "p.code,p.n.x,q\nA,1,2\n,,3\n")
    rows, _ = read(file, ["p.code", "p.n.x", "p", "p.n", "q"])
    assert rows[0][1] == {
        "p.code": "A", "p.n.x": "1", "p": {"code": "A", "n": {"x": "1"}}, "p.n": {"x": "1"},
        "q": "2",
    }  # fmt: skip
    assert rows[1][1] == {"q": "3"}


def test_a_file_without_a_row_has_no_records(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, ""), ["a"]) == ([], [])
    assert read(file_of(tmp_path, "a,b\n"), ["a"]) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a,b,a\n1,2,3\n", "a.csv:1: the header has 'a' twice"),
        (b"\n1,2\n", "a.csv:1: the header is blank"),
        (b"a,\xff\n", "a.csv:1: the header can't be read"),
        (b'a,"b\n', "a.csv:1: the header can't be read"),
    ],
)
def test_a_header_that_is_none_is_told_with_its_place(
    tmp_path: Path, text: bytes, expected: str
) -> None:
    with pytest.raises(InputError, match=r"expected .*name") as caught:
        read(file_of(tmp_path, text), ["a"])
    assert expected in str(caught.value)


def test_paths_without_a_column_are_known(tmp_path: Path) -> None:
    made = CsvReader({"a": "any", "b": "any", "c.d": "any"}, LIMIT)
    assert made.missing(source(file_of(tmp_path, "a,c.d.e\n"))) == ["b"]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=4)


@function_scoped
@given(
    rows=st.lists(st.lists(cells, min_size=2, max_size=2), max_size=12),
    quoting=st.sampled_from((0, 1)),
    size=st.integers(5, 60),
)
def test_what_csv_writes_is_read_back(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[list[str]],
    quoting: Literal[0, 1],
    size: int,
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows([["a", "b"], *rows])
    monkeypatch.setattr(csv_columns, "LARGE_BYTES", 0)
    found, refused = read(file_of(tmp_path, out.getvalue()), ["a", "b"])
    assert refused == []
    assert [[row.get("a", ""), row.get("b", "")] for _, row in found] == rows


LINES = [
    b"1,2", b"", b"x", b",", b"1,2,3", b'"a",b', b'"q\nr",s', b"\xff,1", b"u,v\r", b"  ",
    b"1.50,-0", b'a"b,c', b"m\rn,o", b"\xc3\xa9,0x1",
]  # fmt: skip


@function_scoped
@given(rows=st.lists(st.sampled_from(LINES), max_size=10), ended=st.booleans())
def test_arrow_and_csv_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[bytes], ended: bool
) -> None:
    file = file_of(tmp_path, b"\n".join([b"a,b", *rows]) + (b"\n" if ended else b""))
    found = []
    for large in (0, 1 << 30):
        monkeypatch.setattr(csv_columns, "LARGE_BYTES", large)
        found.append(read(file, {"a": "any", "b": "number"}))
    assert found[0] == found[1]


@pytest.mark.usefixtures("way")
def test_where_a_reader_stopped_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 30)
    text = "a,b\n" + "".join(f"{i},{'x' if i % 3 else chr(34) * 2}\n" for i in range(30))
    file = source(file_of(tmp_path, text))
    made = reader("csv", {"a": "number", "b": "any"})
    chunks = list(made.read(file, Position()))
    rest = [row for some in made.read(file, chunks[2].end) for row in rows_of(made, some)]
    assert rest == [row for some in chunks[3:] for row in rows_of(made, some)]
    assert rest[-1] == (31, {"a": 29, "b": "x"})
    assert chunks[3].original(chunks[3].lines[1]).startswith(f"{rest[1][1]['a']},".encode())
