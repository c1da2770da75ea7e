"""`sluice aggregate --state`: sessions, files and documents that outlive the run."""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.app.batch.kit import (
    aggregate,
    config,
    document,
    file,
    flushed,
    hourly,
    totals,
    usage,
    values,
)
from tests.app.cli.running import Ran

LATER, NEXT = "2025-11-03T05:29:59.999Z", "2025-11-03T05:30:00Z"


class Runs:
    """Runs over one state folder."""

    def __init__(self, folder: Path, *documents: dict[str, Any]) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.configure(*documents)

    def configure(self, *documents: dict[str, Any]) -> None:
        self.config = config(self.folder, *documents)

    def __call__(self, *arguments: str | Path, now: str | None = "2025-11-03T04:30:00Z") -> Ran:
        given = ("--config", self.config, "--state", self.state, *arguments)
        return aggregate(*given, now=now)

    def file(self, name: str, *rows: tuple[str, Any]) -> Path:
        return file(self.folder, name, usage(*rows))

    def bytes(self) -> dict[str, str]:
        """What is in the state's folder, by name."""
        return {
            str(path.relative_to(self.state)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.state.rglob("*"))
            if path.is_file()
        }


def test_sessions_stay_until_they_are_due(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    assert flushed(runs(runs.file("1.jsonl", ("a", 1), ("b", 2)))) == []
    assert flushed(runs(runs.file("2.jsonl", ("a", 10)), now=LATER)) == []
    assert values(flushed(runs(now=LATER))) == []
    records = flushed(runs(runs.file("3.jsonl", ("a", 100)), now=NEXT))
    assert values(records) == [("a", 11, 2), ("b", 2, 1)]
    assert {record["meta"]["flushType"] for record in records} == {"TIMEOUT"}
    assert records[0]["meta"]["lastEvent"] == "2025-11-03T05:29:59.999Z"
    assert [source["topic"] for source in records[0]["explain"]["sources"]] == [
        str(tmp_path / "1.jsonl"), str(tmp_path / "2.jsonl"),
    ]  # fmt: skip
    last = flushed(runs(now="2025-11-03T06:30:00Z"))
    assert values(last) == [("a", 100, 1)]
    assert last[0]["sequence"] == 2


def test_a_session_due_within_the_run_is_flushed_when_it_ends(tmp_path: Path) -> None:
    flush = {"by": "timeout", "timeout": {"timestamp_field": "until"}}
    runs = Runs(tmp_path, document(flush=flush))
    past = [{**usage(("a", 1))[0], "until": "2025-11-03T04:30:00Z"}]
    records = flushed(runs(file(tmp_path, "1.jsonl", past)))
    assert values(records) == [("a", 1, 1)]
    assert records[0]["explain"]["rule"] == "timestamp_field until"


def test_conditions_flush_on_the_way(tmp_path: Path) -> None:
    conditions = {"field": "sum_bytes", "op": ">=", "value": 10}
    runs = Runs(tmp_path, hourly(flush={**hourly()["flush"], "conditions": conditions}))
    records = flushed(runs(runs.file("1.jsonl", ("a", 6), ("a", 6), ("a", 1), ("b", 11))))
    assert values(records) == [("a", 12, 2), ("b", 11, 1)]
    assert {record["meta"]["flushType"] for record in records} == {"CONDITION"}
    assert values(flushed(runs(now=NEXT))) == [("a", 1, 1)]


def test_a_finished_file_is_refused_unless_it_is_wanted_again(tmp_path: Path) -> None:
    runs = Runs(tmp_path, document())
    one = runs.file("1.jsonl", ("a", 1))
    first = flushed(runs(one))
    copy = runs.file("copy.jsonl", ("a", 1))
    ran = runs(runs.file("2.jsonl", ("a", 5)), copy)
    assert (ran.code, ran.out) == (1, "")
    assert f"{copy} was taken before as {one}, by agg: nothing was counted" in ran.err
    assert values(flushed(runs(tmp_path / "2.jsonl"))) == [("a", 5, 1)]
    again = flushed(runs(copy, "--again"))
    assert values(again) == [("a", 1, 1)]
    assert [record["sequence"] for record in (*first, *again)] == [1, 3]
    assert first[0]["id"] != again[0]["id"]
    assert runs(copy).code == 1


def test_the_same_bytes_twice_in_one_run_are_refused_with_a_state(tmp_path: Path) -> None:
    runs = Runs(tmp_path, document())
    one = runs.file("1.jsonl", ("a", 1))
    two = runs.file("2.jsonl", ("a", 1))
    ran = runs(one, two)
    assert ran.code == 1
    assert f"{two} is given twice, it has the same bytes as {one}" in ran.err
    assert f"{one} is given twice: nothing was counted" in runs(one, one).err
    assert values(flushed(runs(one, tmp_path / "2.jsonl", "--again"))) == [("a", 2, 2)]


def test_a_file_is_known_by_aggregator(tmp_path: Path) -> None:
    runs = Runs(tmp_path, document("one"))
    source = runs.file("1.jsonl", ("a", 1))
    flushed(runs(source))
    runs.configure(document("two"))
    assert [record["aggregator"] for record in flushed(runs(source))] == ["two"]
    runs.configure(document("one"), document("two"))
    ran = runs(source)
    assert (ran.code, "by one, two" in ran.err) == (1, True)


def test_time_does_not_go_back(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    flushed(runs(runs.file("1.jsonl", ("a", 1)), now=NEXT))
    ran = runs(runs.file("2.jsonl", ("a", 2)), now=LATER)
    assert ran.code == 2
    assert "now is 2025-11-03T05:29:59.999Z, but the last run on this state was at" in ran.err
    assert flushed(runs(tmp_path / "2.jsonl", now=NEXT)) == []


def test_sessions_expire_into_the_audit_file(tmp_path: Path) -> None:
    flush = {"by": "timeout", "timeout": {"duration": {"days": 100}}}
    runs = Runs(tmp_path, document(flush=flush, ttl_days=2))
    flushed(runs(runs.file("1.jsonl", ("a", 7))))
    audit = tmp_path / "audit.jsonl"
    ran = runs("--audit", audit, "--json", now="2025-11-05T04:30:00Z")
    assert flushed(ran) == []
    (expired,) = [json.loads(line) for line in audit.read_text().splitlines()]
    assert expired["meta"]["flushType"] == "TTL_EXPIRED"
    assert totals(ran)["agg"]["sums"]["sum_bytes"]["expired"] == 7


def test_duplicates_are_dropped_from_one_run_to_the_next(tmp_path: Path) -> None:
    runs = Runs(tmp_path, document(event_id="id", dedup_days=1))
    day = [{**usage(("a", 1))[0], "id": "x"}]
    assert values(flushed(runs(file(tmp_path, "1.jsonl", day)))) == [("a", 1, 1)]
    more = file(tmp_path, "2.jsonl", [*day, {**day[0], "id": "y"}])
    assert values(flushed(runs(more))) == [("a", 1, 1)]
    later = file(tmp_path, "3.jsonl", [*day, *day])
    assert values(flushed(runs(later, now="2025-11-04T04:30:00Z"))) == [("a", 1, 1)]


def test_a_changed_document_is_a_version_that_finds_the_sessions(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    flushed(runs(runs.file("1.jsonl", ("a", 1))))
    largest = {"field": "bytes", "operation": "max"}
    runs.configure(hourly(aggregate=[*hourly()["aggregate"], largest]))
    flushed(runs(runs.file("2.jsonl", ("a", 5), ("b", 3))))
    runs.configure(hourly())
    records = flushed(runs(now=NEXT))
    assert values(records) == [("a", 6, 2, 5), ("b", 3, 1, 3)]
    assert {record["version"] for record in records} == {2}


def test_sessions_of_a_document_that_is_no_longer_given_run_out(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly("gone"))
    flushed(runs(runs.file("1.jsonl", ("a", 1))))
    runs.configure(hourly("new"))
    assert [record["aggregator"] for record in flushed(runs(now=NEXT))] == ["gone"]


def test_a_preview_changes_nothing_in_the_state(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    flushed(runs(runs.file("1.jsonl", ("a", 1), ("b", 1))))
    before = runs.bytes()
    more = runs.file("2.jsonl", ("a", 4))
    records = flushed(runs("--preview", more, now=NEXT))
    assert values(records) == [("a", 1, 1), ("a", 4, 1), ("b", 1, 1)]
    assert {record["meta"]["flushType"] for record in records} == {""}
    assert runs.bytes() == before
    assert values(flushed(runs("--preview"))) == [("a", 1, 1), ("b", 1, 1)]
    assert values(flushed(runs(more, now=NEXT))) == [("a", 1, 1), ("b", 1, 1)]


def test_a_preview_of_a_state_that_is_not_there_makes_none(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    assert values(flushed(runs("--preview", runs.file("1.jsonl", ("a", 1))))) == [("a", 1, 1)]
    assert not runs.state.exists()


def test_a_state_in_use_is_refused(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    runs.state.mkdir()
    held = os.open(runs.state, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    ran = runs(runs.file("1.jsonl", ("a", 1)))
    os.close(held)
    assert ran.code == 2
    assert "another run is at work on the state" in ran.err


def test_a_damaged_state_is_left_as_it_is_and_told(tmp_path: Path) -> None:
    runs = Runs(tmp_path, hourly())
    flushed(runs(runs.file("1.jsonl", ("a", 1))))
    (runs.state / "sessions" / "CURRENT").write_text("rubbish")
    before = runs.bytes()
    ran = runs(runs.file("2.jsonl", ("a", 1)))
    assert ran.code == 1
    assert "the state can't be read" in ran.err
    assert runs.bytes().keys() >= before.keys()
    assert runs.bytes()["sessions/CURRENT"] == before["sessions/CURRENT"]


@pytest.mark.parametrize("by", ["end_of_stream", "end_of_transaction"])
def test_positions_of_finished_files_are_not_kept(tmp_path: Path, by: str) -> None:
    runs = Runs(tmp_path, document(flush={"by": by}))
    sizes = []
    for i in range(12):
        flushed(runs(runs.file(f"{i}.jsonl", ("a", i))))
        sizes.append(_row_size(runs.state))
    assert max(sizes[2:]) - min(sizes[2:]) < 10


def _row_size(state: Path) -> int:
    """Bytes of all session rows and marks."""
    from tables.layout import LOCAL, MARKS, ROW
    from tables.store import RocksStore

    store = RocksStore(state / "sessions", 1 << 22, durable=True)
    rows = [data for _, data in store.scan(ROW, b"t")]
    size = sum(len(data or b"") for data in [*rows, *store.get_many([LOCAL, MARKS])])
    store.close()
    return size
