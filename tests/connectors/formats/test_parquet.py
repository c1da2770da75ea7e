"""Parquet: exact numbers, ISO times, nested columns; rows count from 1."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from connectors.formats import parquet
from connectors.formats.records import InputError, Position
from tests.connectors.formats.inputs import read, reader, rows_of, source


def file_of(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def values(folder: Path, array: pa.Array) -> list[Any]:
    """What is read of one column."""
    rows, refused = read(file_of(folder, {"a": array}), ["a"])
    assert refused == []
    return [row["a"] for _, row in rows]


@pytest.mark.parametrize(
    ("kind", "given_", "expected"),
    [
        (pa.int64(), [1, None, -(1 << 63)], [1, None, -(1 << 63)]),
        (pa.uint64(), [(1 << 64) - 1], [(1 << 64) - 1]),
        (pa.float64(), [0.1, 227.0, 1e300, None], ["0.1", "227.0", "1E+300", None]),
        (pa.float32(), [0.1, 16777216.0], ["0.1", "16777216.0"]),
        (pa.decimal128(20, 2), ["1.50", "-0.01"], ["1.50", "-0.01"]),
        (pa.decimal256(60, 3), ["9" * 50 + ".125"], ["9" * 50 + ".125"]),
    ],
)
def test_numbers_are_exact(
    tmp_path: Path, kind: pa.DataType, given_: list[Any], expected: list[Any]
) -> None:
    if pa.types.is_decimal(kind):
        given_ = [Decimal(text) for text in given_]
    wanted = [Decimal(each) if isinstance(each, str) else each for each in expected]
    found = values(tmp_path, pa.array(given_, kind))
    assert found == wanted
    assert [type(each) for each in found] == [type(each) for each in wanted]


def test_a_float_that_is_no_number_is_text(tmp_path: Path) -> None:
    assert values(tmp_path, pa.array([float("nan"), float("inf")])) == ["nan", "inf"]


def test_times_are_iso_text(tmp_path: Path) -> None:
    at = dt.datetime(2024, 10, 27, 1, 30, tzinfo=dt.UTC)
    berlin = pa.timestamp("us", "Europe/Berlin")
    assert values(tmp_path, pa.array([at], pa.timestamp("s", "UTC"))) == ["2024-10-27T01:30:00Z"]
    assert values(tmp_path, pa.array([at], berlin)) == ["2024-10-27T01:30:00Z"]
    naive = pa.array([1, 1_000, 1_000_000, 1_000_000_000, -1], pa.timestamp("ns"))
    assert values(tmp_path, naive) == [
        "1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000001", "1970-01-01T00:00:00.001",
        "1970-01-01T00:00:01", "1969-12-31T23:59:59.999999999",
    ]  # fmt: skip
    assert values(tmp_path, pa.array([dt.date(2024, 2, 29)])) == ["2024-02-29"]
    assert values(tmp_path, pa.array([dt.time(1, 2, 3, 4000)])) == ["01:02:03.004"]


def test_text_booleans_and_dictionaries_are_what_they_are(tmp_path: Path) -> None:
    assert values(tmp_path, pa.array(["é", None, ""])) == ["é", None, ""]
    assert values(tmp_path, pa.array([True, None])) == [True, None]
    assert values(tmp_path, pa.array([None, None], pa.null())) == [None, None]
    assert values(tmp_path, pa.array(["x", "y", None, "x"]).dictionary_encode()) == [
        "x", "y", None, "x",
    ]  # fmt: skip
    assert values(tmp_path, pa.array([b"text", b"\xff"])) == ["text", bytearray(b"\xff")]


def test_nested_columns_are_objects_and_paths(tmp_path: Path) -> None:
    column = pa.array(
        [{"code": "A", "n": {"x": 0.5}, "l": [1, 2]}, None, {"code": None, "n": None, "l": None}]
    )
    file = file_of(tmp_path, {"p": column, "p.code": pa.array(["lit", "eral", None])})
    rows, _ = read(file, ["p.n.x", "p.l", "p.code", "p", "p.no.x"])
    assert [row for _, row in rows] == [
        {"p.n.x": Decimal("0.5"), "p.l": [1, 2], "p.code": "lit",
         "p": {"code": "A", "n": {"x": Decimal("0.5")}, "l": [1, 2]}},
        {"p.code": "eral", "p": None},
        {"p.l": None, "p.code": None, "p": {"code": None, "n": None, "l": None}},
    ]  # fmt: skip


def test_a_column_that_is_missing_is_absent_everywhere(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"a": [1, 2]})
    assert read(file, ["b"]) == ([(1, {}), (2, {})], [])


def test_an_original_is_the_row_as_json(tmp_path: Path) -> None:
    file = source(file_of(tmp_path, {"a": [1, 2], "b": ["x", "y"], "c": [0, 0]}))
    (some,) = reader("parquet", {"a": "any", "b": "any"}).read(file, Position())
    assert json.loads(some.original(2)) == {"a": 2, "b": "y"}


def test_a_type_without_json_values_is_refused_only_if_it_is_wanted(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"a": [1], "d": pa.array([1], pa.duration("s"))})
    assert read(file, ["a"])[0] == [(1, {"a": 1})]
    with pytest.raises(InputError, match=r"column d is duration\[s\]; expected numbers, text"):
        read(file, ["d"])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="there are two columns 'a'"):
        read(tmp_path / "a.parquet", ["a"])


def test_broken_data_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"a": list(range(50_000))}, compression="gzip")
    data = bytearray(file.read_bytes())
    data[1_000:20_000] = bytes(19_000)
    file.write_bytes(data)
    with pytest.raises(InputError, match="its data is broken"):
        read(file, ["a"])
    file.write_bytes(b"PAR1" + data[4:100])
    with pytest.raises(InputError, match="it can't be opened"):
        read(file, ["a"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(0, 40),
    group=st.integers(1, 15),
    chunk=st.integers(1, 10),
    at=st.integers(0, 10),
)
def test_from_the_end_of_a_chunk_the_same_chunks_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, group: int, chunk: int, at: int
) -> None:
    monkeypatch.setattr(parquet, "CHUNK_ROWS", chunk)
    file = source(file_of(tmp_path, {"a": pa.array(range(rows), pa.int64())}, row_group_size=group))
    made = reader("parquet", {"a": "number"})
    chunks = [(some.end, rows_of(made, some)) for some in made.read(file, Position())]
    assert [row for _, some in chunks for row in some] == [(i + 1, {"a": i}) for i in range(rows)]
    if at < len(chunks):
        rest = [(some.end, rows_of(made, some)) for some in made.read(file, chunks[at][0])]
        assert rest == chunks[at + 1 :]


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(finite, max_size=20))
def test_floats_become_the_decimal_that_means_them(tmp_path: Path, numbers: list[float]) -> None:
    found = values(tmp_path, pa.array(numbers, pa.float64()))
    assert [float(each) for each in found] == numbers
    assert all(len(each.as_tuple().digits) <= 17 for each in found if abs(each) < 1)
