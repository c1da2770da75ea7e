"""Whole blocks are read as the rules read line by line."""

import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.impressions.lines import blocks
from agents.impressions.parse import Parser
from domain.impressions.figures import of_values
from domain.impressions.layout import bucket_of
from domain.impressions.rows import Row, read_row

CELLS = st.one_of(
    st.sampled_from([b"", b"a", b"campaign_00", b"50010", b'"x,y"', b'"o', b'a"b', b'"q""r"',
                     b"\xff", "é".encode(), b"x" * 70, b"a\rb", b"12345678", b"123456789", b" "]),
    st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"").replace(b",", b"")),
)  # fmt: skip
DATES = st.sampled_from([b"06/01/2025", b"06/02/2025", b"02/30/2025", b"6/1/2025", b"", b"x"])
NUMBERS = st.one_of(
    st.floats().map(lambda value: repr(value).encode()),
    st.sampled_from([b"0.5", b"+.5", b"5.", b"1e400", b" 1", b"1_0", b"nan(1)", b"", b'"0.25"',
                     b"1e-320", b"-0", b"0x1"]),
)  # fmt: skip
LINES = st.one_of(
    st.tuples(DATES, CELLS, CELLS, CELLS, NUMBERS).map(b",".join),
    st.tuples(st.just(b"06/01/2025"), st.sampled_from([b"1", b"22"]), st.sampled_from([b"c", b"d"]),
              CELLS, st.sampled_from([b"0.5", b"1.5", b"0.1"])).map(b",".join),
    st.tuples(CELLS, CELLS, CELLS, NUMBERS).map(b",".join),
    st.sampled_from([b"", b",,,,", b"a\r", b'"', b"06/01/2025,1,c,v,0.5\r"]),
)  # fmt: skip


@given(
    st.lists(LINES, max_size=30), st.sampled_from([4, 5]), st.booleans(), st.sampled_from([1, 8]),
    st.integers(10, 300), st.booleans(),
)  # fmt: skip
@example([b"06/01/2025,1,c,v,0.5"] * 3, 5, True, 8, 10, False)
@settings(deadline=None, max_examples=300)
def test_blocks_are_read_as_line_by_line(
    lines: list[bytes], columns: int, dated: bool, buckets: int, size: int, ended: bool
) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    parser = Parser(columns, "2025-06-03", buckets, dated)
    found: dict[tuple[tuple[str, bytes], int], tuple[bytes, list[float]]] = {}
    refused, base = [], 0
    for block in blocks(io.BytesIO(text), size):
        part = parser.parse(block)
        refused += [(base + one.line, one.reason, one.row) for one in part.rejects]
        base += part.lines
        starts = [*part.starts.tolist(), part.rows]
        for i, place in enumerate(part.places.tolist()):
            key = part.groups[place // buckets], place % buckets
            old, values = found.get(key, (b"", []))
            new = bytes(part.text[part.bounds[i] : part.bounds[i + 1]])
            found[key] = old + new, values + part.values[starts[i] : starts[i + 1]].tolist()
    expected: dict[tuple[tuple[str, bytes], int], tuple[bytes, list[float]]] = {}
    bad = []
    for number, line in enumerate(text.split(b"\n")):
        line = line.removesuffix(b"\r")
        if not line:
            continue
        row = read_row(line, columns)
        if not isinstance(row, Row):
            bad.append((number, row, line))
            continue
        group = ((row.date or "2025-06-03") if dated else "", row.campaign)
        key = group, bucket_of(row.impression, buckets)
        old, values = expected.get(key, (b"", []))
        expected[key] = old + b",".join(row.cells) + b"\n", [*values, row.value]
    assert found == expected
    assert refused == bad
    for _, values in expected.values():
        assert of_values(values).rows == len(values)
