"""`sluice aggregate` without a state: what comes out, what is refused, what is said."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.app.batch.kit import (
    NOW,
    aggregate,
    config,
    csv_text,
    document,
    file,
    flushed,
    hourly,
    totals,
    usage,
    values,
)
from tests.app.cli.running import sluice_process

SOME = usage(("b", 1), ("a", 2), ("b", 3))


def test_the_run_ends_with_a_record_of_every_session(tmp_path: Path) -> None:
    agg, one = config(tmp_path, document()), file(tmp_path, "one.jsonl", SOME)
    two = file(tmp_path, "two.csv", csv_text(usage(("b", "0.50")), ["account", "bytes"]))
    records = flushed(aggregate("--config", agg, one, two))
    assert values(records) == [("a", 2, 1), ("b", Decimal("4.5"), 3)]
    assert records[1]["meta"] == {
        "origin": "agg", "count": 3, "flushType": "ALL_FILES", "lastCall": True,
        "firstEvent": "2025-11-03T04:30:00.000Z", "lastEvent": "2025-11-03T04:30:00.000Z",
    }  # fmt: skip
    assert records[1]["explain"] == {
        "rule": "end_of_stream",
        "due": None,
        "sources": [
            {"topic": str(one), "partition": 0, "first": 1, "last": 3, "count": 2},
            {"topic": str(two), "partition": 0, "first": 2, "last": 2, "count": 1},
        ],
    }
    assert {record["sequence"] for record in records} == {1}


def test_each_file_may_be_a_transaction(tmp_path: Path) -> None:
    agg = config(tmp_path, document(flush={"by": "end_of_transaction"}))
    one, two = file(tmp_path, "1.jsonl", SOME), file(tmp_path, "2.jsonl", usage(("b", 5)))
    records = flushed(aggregate("--config", agg, one, two))
    assert values(records) == [("a", 2, 1), ("b", 4, 2), ("b", 5, 1)]
    assert [record["sequence"] for record in records] == [1, 1, 2]
    assert {(r["meta"]["flushType"], r["meta"]["lastCall"]) for r in records} == {
        ("EACH_FILE", False)
    }
    assert len({record["id"] for record in records}) == 3


def test_several_documents_run_over_the_same_files(tmp_path: Path) -> None:
    each = document("each", flush={"by": "end_of_transaction"}, group={"fields": ["bytes"]})
    agg = config(tmp_path, document("all"), each)
    records = flushed(aggregate("--config", agg, file(tmp_path, "1.jsonl", SOME)))
    assert [record["aggregator"] for record in records] == ["each"] * 3 + ["all"] * 2
    assert values(records[:3]) == [(1, 1, 1), (2, 2, 1), (3, 3, 1)]


def test_documents_may_come_from_several_files(tmp_path: Path) -> None:
    one = tmp_path / "a.json"
    one.write_text(json.dumps(document("a")))
    agg = config(tmp_path, document("b"))
    ran = aggregate("--config", one, "--config", agg, file(tmp_path, "1.jsonl", SOME))
    assert [record["aggregator"] for record in flushed(ran)] == ["a", "a", "b", "b"]


def test_standard_input_is_json_lines_unless_said(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    found = flushed(aggregate("--config", agg, "-", stdin=b'{"account": "x", "bytes": "7"}\n'))
    assert values(found) == [("x", 7, 1)]
    assert found[0]["explain"]["sources"][0]["topic"] == "-"
    ran = aggregate("--config", agg, "--input-format", "csv", "-", stdin=b"account,bytes\nx,7\n")
    assert values(flushed(ran)) == [("x", 7, 1)]


def test_ids_follow_the_bytes_and_the_line_and_not_the_name(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    first = flushed(aggregate("--config", agg, file(tmp_path, "1.jsonl", SOME)))
    renamed = flushed(aggregate("--config", agg, file(tmp_path, "2.jsonl", SOME)))
    other = flushed(aggregate("--config", agg, file(tmp_path, "3.jsonl", [*SOME, *SOME])))
    assert [r["id"] for r in first] == [r["id"] for r in renamed]
    assert not {r["id"] for r in first} & {r["id"] for r in other}


def test_the_same_bytes_twice_are_two_files_without_a_state(tmp_path: Path) -> None:
    agg = config(tmp_path, document(flush={"by": "end_of_transaction"}))
    one = file(tmp_path, "1.jsonl", usage(("a", 2)))
    records = flushed(aggregate("--config", agg, one, one))
    assert values(records) == [("a", 2, 1), ("a", 2, 1)]
    assert records[0]["id"] != records[1]["id"]


def test_output_appears_whole_and_replaces_what_was_there(tmp_path: Path) -> None:
    agg, out = config(tmp_path, document()), tmp_path / "out.jsonl"
    out.write_text("old")
    ran = aggregate("--config", agg, "--output", out, file(tmp_path, "1.jsonl", SOME))
    assert (ran.code, ran.out) == (0, "")
    assert values([json.loads(line) for line in out.read_text().splitlines()]) == [
        ("a", 2, 1), ("b", 4, 2),
    ]  # fmt: skip
    assert not list(tmp_path.glob(".*"))


def test_what_goes_wrong_leaves_the_old_output(tmp_path: Path) -> None:
    agg, out = config(tmp_path, document()), tmp_path / "out.jsonl"
    out.write_text("old")
    broken = file(tmp_path, "1.csv", b"a,a\n")
    ran = aggregate("--config", agg, "--output", out, broken)
    assert (ran.code, out.read_text()) == (1, "old")
    assert f"{broken}:1: the header has 'a' twice" in ran.err
    assert not list(tmp_path.glob(".*"))


def test_rejected_records_are_dead_letters_and_the_run_goes_on(tmp_path: Path) -> None:
    agg, rejects = config(tmp_path, document()), tmp_path / "rejects.jsonl"
    lines = (
        b'{"account": "a", "bytes": 1}\nnonsense\n{"bytes": 2}\n{"account": "a", "bytes": "x"}\n'
    )
    source = file(tmp_path, "1.jsonl", lines)
    ran = aggregate("--config", agg, "--rejects", rejects, source)
    assert values(flushed(ran)) == [("a", 1, 1)]
    letters = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(each["offset"], each["aggregator"], each["reason"]) for each in letters] == [
        (2, None, "undecodable"), (3, "agg", "missing_group_field"), (4, "agg", "not_a_number"),
    ]  # fmt: skip
    assert {(each["topic"], each["partition"]) for each in letters} == {(str(source), 0)}
    assert letters[0]["original"] == "bm9uc2Vuc2U="
    assert letters[1]["at"] == "2025-11-03T04:30:00.000Z"
    assert letters[2]["version"] == 1
    expected = "3 rejected (1 missing_group_field, 1 not_a_number, 1 undecodable), the first: "
    assert f"{expected}{source}:2: undecodable" in ran.err


def test_a_column_that_is_missing_is_told(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    source = file(tmp_path, "1.csv", b"account;bytes\na;1\n")
    ran = aggregate("--config", agg, source)
    assert (ran.code, ran.out) == (0, "")
    assert f"{source} has no column bytes, account" in ran.err
    assert "1 rejected (1 missing_group_field)" in ran.err


def test_strict_makes_a_rejected_record_exit_1_with_the_same_output(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    source = file(tmp_path, "1.jsonl", b'{"account": "a", "bytes": 1}\n{}\n')
    ran = aggregate("--config", agg, source, "--strict")
    assert (ran.code, len(ran.out.splitlines())) == (1, 1)
    clean = file(tmp_path, "2.jsonl", SOME)
    assert aggregate("--config", agg, clean, "--strict").code == 0


def test_a_record_without_its_timeout_is_rejected_by_the_session(tmp_path: Path) -> None:
    flush = {"by": "timeout", "timeout": {"timestamp_field": "until"}}
    agg, rejects = config(tmp_path, document(flush=flush)), tmp_path / "rejects.jsonl"
    source = file(tmp_path, "1.csv", b"account,bytes,until\na,1,\nb,2,2026-01-01T00:00:00Z\n")
    state = tmp_path / "state"
    ran = aggregate("--config", agg, source, "--rejects", rejects, "--state", state, "--json")
    assert totals(ran)["agg"]["count"]["rejected"] == 1
    (letter,) = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert (letter["topic"], letter["offset"], letter["reason"]) == (str(source), 2, "no_timeout")
    assert letter["original"] == "YSwxLA=="


def test_totals_are_told_and_balance(tmp_path: Path) -> None:
    agg = config(tmp_path, document(filter={"field": "account", "op": "!=", "value": "c"}))
    source = file(tmp_path, "1.jsonl", [*SOME, *usage(("c", 9), ("a", "x"))])
    ran = aggregate("--config", agg, source, "--json")
    assert totals(ran)["agg"] == {
        "aggregator": "agg",
        "count": {
            "in": 4, "open": 0, "flushed": 3, "duplicates": 0, "rejected": 1, "expired": 0,
            "deleted": 0,
        },
        "sums": {"sum_bytes": {"in": 6, "open": 0, "flushed": 6, "expired": 0, "deleted": 0}},
        "balanced": True,
    }  # fmt: skip
    told = aggregate("--config", agg, source).err
    assert "5 records of 1 file, 1 filtered out by agg" in told


def test_duplicates_are_dropped_within_a_run(tmp_path: Path) -> None:
    agg = config(tmp_path, document(event_id="id"))
    records = [{**record, "id": i % 2} for i, record in enumerate(usage(*[("a", 1)] * 5))]
    ran = aggregate("--config", agg, file(tmp_path, "1.jsonl", records), "--json")
    assert values(flushed(ran)) == [("a", 2, 2)]
    assert totals(ran)["agg"]["count"]["duplicates"] == 3


def test_structured_cloud_events_go_in_and_out(tmp_path: Path) -> None:
    agg = config(tmp_path, document(output={"envelope": "cloudevents"}))
    event = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data": SOME[0]}
    (found,) = flushed(aggregate("--config", agg, file(tmp_path, "1.jsonl", [event])))
    assert (found["specversion"], found["data"]["values"]["sum_bytes"]) == ("1.0", 1)


def test_a_preview_shows_every_session_without_a_state(tmp_path: Path) -> None:
    conditions = {"field": "sum_bytes", "op": ">=", "value": 3}
    flush = {**hourly()["flush"], "conditions": conditions}
    agg = config(tmp_path, document(flush=flush))
    source = file(tmp_path, "1.jsonl", usage(("a", 5), ("a", 1), ("b", 1)))
    records = flushed(aggregate("--config", agg, "--preview", source))
    assert values(records) == [("a", 5, 1), ("a", 1, 1), ("b", 1, 1)]
    assert [record["sequence"] for record in records] == [1, 2, 1]
    assert {record["meta"]["flushType"] for record in records} == {""}
    assert records[2]["explain"]["due"] == "2025-11-03T05:30:00.000Z"


def test_the_clock_of_the_settings_is_the_time_of_the_run(tmp_path: Path) -> None:
    trial = tmp_path / "clock"
    trial.write_text(NOW)
    agg, source = config(tmp_path, document()), file(tmp_path, "1.jsonl", SOME)
    ran = aggregate("--config", agg, source, "--clock", f"trial:{trial}", now=None)
    assert flushed(ran)[0]["meta"]["firstEvent"] == "2025-11-03T04:30:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "documents", "expected"),
    [
        (["1.jsonl"], [hourly()], "agg flushes by timeout"),
        ([], [document()], "missing: FILE"),
        (["-", "-"], [document()], "- is given twice"),
        (["none.jsonl"], [document()], "none.jsonl is not there"),
        (["1.jsonl", "--now", "yesterday"], [document()], "--now yesterday is no instant"),
        (["1.jsonl", "--output", "no/such"], [document()], "no is no folder"),
        (["1.jsonl", "--output", "."], [document()], ". is a folder"),
        (["1.jsonl", "--abandon"], [document()], "--abandon is about a run that was killed"),
        (["1.jsonl", "--output", "x", "--rejects", "x"], [document()], "name one file"),
        (["1.jsonl", "--state", "1.jsonl"], [document()], "1.jsonl is no folder"),
        (["1.jsonl", "--output-format", "xml"], [document()], "invalid choice"),
    ],
)
def test_wrong_usage_is_2_with_what_would_be_right(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    documents: list[Any],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path, "1.jsonl", SOME)
    ran = aggregate("--config", config(tmp_path, *documents), *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert len(ran.err.splitlines()) <= 3
    assert not (tmp_path / "x").exists()


def test_a_document_that_is_wrong_is_told_with_path_and_value(tmp_path: Path) -> None:
    agg = config(tmp_path, document(flush={"by": "end_of_day"}))
    ran = aggregate("--config", agg, file(tmp_path, "1.jsonl", SOME))
    assert ran.code == 1
    assert "agg.yaml:1: flush.by" in ran.err
    assert "end_of_day" in ran.err


def test_a_process_of_its_own_prints_records_and_says_the_rest_beside(tmp_path: Path) -> None:
    agg, source = config(tmp_path, document()), file(tmp_path, "1.jsonl.gz", SOME)
    ran = sluice_process("aggregate", "--config", agg, source)
    assert values(flushed(ran)) == [("a", 2, 1), ("b", 4, 2)]
    assert "3 records of 1 file" in ran.err
