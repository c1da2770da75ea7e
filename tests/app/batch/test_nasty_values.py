"""Values that are hard to take: none stops a run, and what was let in can be printed."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.app.batch.kit import aggregate, config, document, file, flushed, values
from tests.app.cli.running import Ran

CARRIED = [{"field": "bytes", "operation": "carry_last"}]


def run(folder: Path, line: bytes, **changes: Any) -> tuple[Ran, list[dict[str, Any]]]:
    """One good record of the account "good", and `line`; what came out, and the dead letters."""
    lines = line + b'\n{"account": "good", "bytes": 1}\n'
    rejects = folder / "rejects"
    agg, data = config(folder, document(**changes)), file(folder, "in.jsonl", lines)
    ran = aggregate("--config", agg, "--rejects", rejects, data)
    assert "good" in ran.out, ran.err
    return ran, [json.loads(letter) for letter in rejects.read_text().splitlines()]


@pytest.mark.parametrize(
    ("carried", "reason"),
    [
        (b'"\xff"', "undecodable"),
        (b'{"a": "\xed\xa0\x80"}', "undecodable"),
        (b"[" * 900 + b"]" * 900, "undecodable"),
        (b"1e1001", "not_a_number"),
        (b'{"a": [1, -1E+5000]}', "not_a_number"),
        (b"9" * 1001, "not_a_number"),
        (b"9" * 9000, "not_a_number"),
    ],
)
def test_what_could_not_be_printed_is_not_carried(
    tmp_path: Path, carried: bytes, reason: str
) -> None:
    line = b'{"account": "x", "bytes": ' + carried + b"}"
    ran, letters = run(tmp_path, line, aggregate=CARRIED)
    assert [letter["reason"] for letter in letters] == [reason]
    assert values(flushed(ran)) == [("good", 1)]


@pytest.mark.parametrize("operations", [("carry_last",), ("carry_last", "count")])
@pytest.mark.parametrize(
    "carried",
    ['"é1e5000 "', "1E-1000", "1.50", '{"a": [1, {"b": 2e3}]}', "9" * 1000, "[" * 90 + "]" * 90],
)
def test_a_carried_value_is_printed_as_it_came(
    tmp_path: Path, carried: str, operations: tuple[str, ...]
) -> None:
    line = b'{"account": "x", "bytes": ' + carried.encode() + b"}"
    aggregate = [{"field": "bytes", "operation": operation} for operation in operations]
    ran, letters = run(tmp_path, line, aggregate=aggregate)
    assert letters == []
    assert flushed(ran)[1]["values"]["carry_last_bytes"] == json.loads(carried, parse_float=Decimal)


@pytest.mark.parametrize(
    ("account", "shown"),
    [("1e-1000", Decimal("1e-1000")), ("1e1000", 10**1000), ("9" * 1000, 10**1000 - 1)],
)
def test_a_group_value_may_print_longer_than_it_came(
    tmp_path: Path, account: str, shown: int | Decimal
) -> None:
    ran, letters = run(tmp_path, b'{"account": ' + account.encode() + b', "bytes": 1}')
    assert letters == []
    assert shown in [record["group"]["account"] for record in flushed(ran)]


@pytest.mark.parametrize("number", [b"1e1001", b"9" * 1001, b"9" * 9000])
@pytest.mark.parametrize("field", [b"account", b"bytes"])
def test_a_number_beyond_the_limits_is_no_number(
    tmp_path: Path, number: bytes, field: bytes
) -> None:
    line = b'{"account": 1, "bytes": 1, "' + field + b'": ' + number + b"}"
    _, letters = run(tmp_path, line)
    assert [(each["reason"], each["aggregator"]) for each in letters] == [("not_a_number", "agg")]


@pytest.mark.parametrize("number", [b"1e1001", b"9" * 9000])
def test_a_number_nobody_asks_for_may_be_any(tmp_path: Path, number: bytes) -> None:
    event = b'{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": %b}'
    record = b'{"account": "x", "bytes": 1, "other": ' + number + b"}"
    for line in (record, event % record):
        ran, letters = run(tmp_path, line)
        assert (letters, values(flushed(ran))) == ([], [("good", 1, 1), ("x", 1, 1)])


def test_a_cloud_event_of_broken_text_is_undecodable(tmp_path: Path) -> None:
    event = b'{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"a": "\xff"}}'
    _, letters = run(tmp_path, event)
    assert [(each["reason"], each["aggregator"]) for each in letters] == [("undecodable", None)]


@pytest.mark.parametrize("op", ["<", "<=", ">", ">="])
def test_a_number_of_a_record_is_no_instant(tmp_path: Path, op: str) -> None:
    line = b'{"account": "x", "at": 1757499300000, "bytes": 1}'
    condition = {"field": "at", "op": op, "value": "2024-09-03T10:15:00Z"}
    agg = config(tmp_path, document(filter=condition))
    ran = aggregate("--config", agg, file(tmp_path, "in.jsonl", line))
    assert flushed(ran) == []
