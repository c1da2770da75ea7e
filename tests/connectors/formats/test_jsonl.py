"""JSON Lines: whatever way a block is decoded, each line is one record or is refused."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.formats import blocks, jsonl
from connectors.formats.records import Position
from tests.connectors.formats.inputs import json_lines, read, reader, rows_of, source

LINES = [
    b'{"a": 1}', b'{"a": 0.10, "b": {"c": "x"}}', b'{"b.c": null}', b"", b"  ", b"{", b"[1]",
    b'{"a": 1} {"a": 2}', b'{"a":', b"3}", b'{"a": "\xff"}', b'{"z": "}\\n{"}', b'{"a":{}}', b"\r",
    b'{"specversion": "1.0", "type": "t", "id": "i", "source": "s", "data": {"a": 5}}',
]  # fmt: skip
function_scoped = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=[0, 1 << 30], ids=["by the block", "by the line"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to decode a block."""
    monkeypatch.setattr(jsonl, "LARGE_BYTES", request.param)


@pytest.mark.usefixtures("way")
def test_records_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 9007199254740993.5, "b": {"c": null}}')
    assert read(file, ["a", "b.c", "d"]) == (
        [(1, {"a": 1}), (3, {"a": Decimal("9007199254740993.5"), "b.c": None})],
        [],
    )


@pytest.mark.usefixtures("way")
def test_what_is_no_object_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"a": 1}\n{"a": 1}{"a": 2}\n{"a":\n4}\n{"a": 5}\n')
    rows, refused = read(file, ["a"])
    assert rows == [(1, {"a": 1}), (5, {"a": 5})]
    assert [(line, reason) for line, reason, _ in refused] == [
        (2, "undecodable"), (3, "undecodable"), (4, "undecodable"),
    ]  # fmt: skip


@pytest.mark.usefixtures("way")
def test_a_line_above_the_limit_is_refused_without_its_neighbours(tmp_path: Path) -> None:
    records = [{"a": 1}, {"a": "x" * 100}, {"a": 3}]
    rows, refused = read(json_lines(tmp_path / "a.jsonl", records), ["a"], limit=50)
    assert rows == [(1, {"a": 1}), (3, {"a": 3})]
    assert refused == [(2, "too_large", "109 bytes, the limit is 50")]


def test_a_line_above_the_size_of_a_block_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 60)
    records = [{"a": 1}, {"a": "x" * 1000}, {"a": 3}]
    rows, refused = read(json_lines(tmp_path / "a.jsonl", records), ["a"], limit=50)
    assert rows == [(1, {"a": 1}), (3, {"a": 3})]
    assert refused == [(2, "too_large", "1009 bytes, the limit is 50")]


@function_scoped
@given(lines=st.lists(st.sampled_from(LINES), max_size=8))
def test_both_ways_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join(lines))
    found = []
    for large in (0, 1 << 30):
        monkeypatch.setattr(jsonl, "LARGE_BYTES", large)
        found.append(read(file, ["a", "b.c"]))
    assert found[0] == found[1]
    expected = [i for i, line in enumerate(lines, 1) if _is_object(line)]
    assert [line for line, _ in found[0][0]] == expected


def test_a_cloud_event_among_plain_records_is_seen_through(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "type": "t", "id": "i", "source": "s", "data": {"a": 5}}
    file = source(json_lines(tmp_path / "a.jsonl", [{"a": 1}, event]))
    made = reader("jsonl", {"a": "any"})
    (some,) = made.read(file, Position())
    assert rows_of(made, some) == [(1, {"a": 1}), (2, {"a": 5})]
    assert [view.cloud for view in some.rows()] == [None, "s\0i"]
    assert json.loads(some.original(2)) == event


def test_where_a_reader_stopped_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 40)
    records = [{"a": i} for i in range(20)]
    file = source(json_lines(tmp_path / "a.jsonl", records))
    made = reader("jsonl", {"a": "number"})
    chunks = list(made.read(file, Position()))
    assert len(chunks) > 3
    assert chunks[-1].reached == file.size
    rest = [row for some in made.read(file, chunks[1].end) for row in rows_of(made, some)]
    assert rest == [row for some in chunks[2:] for row in rows_of(made, some)]
    assert rest[-1] == (20, {"a": 19})


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
