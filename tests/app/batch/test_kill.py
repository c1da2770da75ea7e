"""A run killed at any step goes on where it was, and gives what an undisturbed one gives."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.app.batch.killed import KILLED, Ended, Runner, runner
from tests.app.batch.kit import check_state, config, csv_text, document, file, hourly, parquet

RESULTS = ("out.jsonl", "rejects.jsonl", "audit.jsonl")
OPENED, NOW = "2025-10-01T00:00:00Z", "2025-11-03T04:30:00Z"


def records(seed: int, number: int) -> list[dict[str, Any]]:
    """Usage of a few accounts, some of it not applicable, some of it repeated."""
    chance = random.Random(seed)
    return [
        {
            "account": chance.choice(["a", "b", "c", "d", ""]) or None,
            "bytes": chance.choice(["1", "2.50", "100", "x"]),
            "id": f"{seed}-{chance.randrange(number)}",
            "until": chance.choice([NOW, "2025-11-03T05:00:00Z", None]),
        }
        for _ in range(number)
    ]


DOCUMENTS = [
    document("by-run"),
    document("by-file", flush={"by": "end_of_transaction"}, event_id="id"),
    hourly("in-time", ttl_days=20, flush={
        "by": "timeout",
        "timeout": {"timestamp_field": "until"},
        "conditions": {"field": "sum_bytes", "op": ">=", "value": 300},
    }),
]  # fmt: skip


class Case:
    """Files and documents in a folder, with a state that holds sessions already."""

    def __init__(self, folder: Path, run: Runner) -> None:
        self.folder = folder
        self.run = run
        names = list(records(1, 1)[0])
        first = file(folder, "0.jsonl", records(0, 20))
        self.files = [
            file(folder, "1.jsonl", records(1, 40)),
            file(folder, "2.csv.gz", csv_text(records(2, 60), names)),
            file(folder, "3.parquet", parquet(records(3, 40), dict.fromkeys(names, pa.string()))),
        ]
        self.config = config(folder, *DOCUMENTS)
        opened = run.run(
            "--config", self.config, "--state", folder / "ready", first, "--now", OPENED
        )
        assert opened.code == 0, opened.err

    def begin(self, name: str) -> None:
        """A copy of the state and no results."""
        self.state = self.folder / name
        shutil.copytree(self.folder / "ready", self.state)
        for result in RESULTS:
            (self.folder / result).unlink(missing_ok=True)

    def aggregate(self, kill_at: int = 0) -> Ended:
        """The run that is killed."""
        out, rejects, audit = (self.folder / name for name in RESULTS)
        return self.run.run(
            "--config", self.config, "--state", self.state, "--now", NOW, "--json",
            "--output", out, "--rejects", rejects, "--audit", audit, *self.files,
            kill_at=kill_at,
        )  # fmt: skip

    def results(self, ended: Ended) -> list[str]:
        assert ended.code == 0, ended.err
        return [ended.err, *((self.folder / name).read_text() for name in RESULTS)]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with runner(tmp_path) as run:
        yield Case(tmp_path, run)


@pytest.mark.faults
def test_killed_at_any_step_a_run_goes_on_to_the_same_bytes(case: Case) -> None:
    kill_at_each(case, stride=1)


def test_killed_at_some_steps_a_run_goes_on_to_the_same_bytes(case: Case) -> None:
    kill_at_each(case, stride=9)


def kill_at_each(case: Case, stride: int) -> None:
    """Compares with an undisturbed run what is left of runs killed at every `stride`th step, and at
    the last ones."""
    case.begin("undisturbed")
    whole = case.aggregate()
    expected = case.results(whole)
    assert all(expected)
    types = {json.loads(line)["meta"]["flushType"] for line in expected[1].splitlines()}
    assert types == {"ALL_FILES", "EACH_FILE", "TIMEOUT", "CONDITION"}
    assert whole.steps > 40
    for step in sorted({*range(1, whole.steps, stride), whole.steps - 1, whole.steps}):
        case.begin(f"step-{step}")
        assert case.aggregate(kill_at=step).code == KILLED
        again = case.aggregate()
        if step == whole.steps:  # it was over: nothing is counted twice
            assert again.code == 1
            assert "was taken before" in again.err
        else:
            assert case.results(again) == expected, f"killed at step {step}"
            check_state(case.state)
        shutil.rmtree(case.state)


def test_killed_again_and_again_it_still_ends_the_same(case: Case) -> None:
    case.begin("undisturbed")
    expected = case.results(case.aggregate())
    for seed in range(3):
        chance = random.Random(seed)
        case.begin(f"seed-{seed}")
        ended = case.aggregate(kill_at=chance.randint(1, 30))
        while ended.code == KILLED:
            ended = case.aggregate(kill_at=chance.randint(5, 60))
        assert case.results(ended) == expected
        shutil.rmtree(case.state)


def test_what_was_printed_and_not_confirmed_is_printed_again(tmp_path: Path) -> None:
    agg = config(tmp_path, document(flush={"by": "end_of_transaction"}))
    files = [file(tmp_path, f"{i}.jsonl", records(i, 30)) for i in range(2)]
    state = tmp_path / "state"
    given: list[str | Path] = ["--config", agg, "--state", state, "--now", NOW, *files]
    with runner(tmp_path) as run:
        steps = run.run(*given).steps
        shutil.rmtree(tmp_path / "state")
        printed = run.run(*given, kill_at=steps - 1)
        assert printed.code == KILLED
        again = run.run(*given)
    assert len(printed.out.splitlines()) > 5
    assert again.out == printed.out


def test_a_killed_run_wants_its_files_again(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    files = [file(tmp_path, f"{i}.jsonl", records(i, 30)) for i in range(3)]
    given = ("--config", agg, "--state", tmp_path / "state", "--now", NOW)
    with runner(tmp_path) as run:
        whole = run.run("--config", agg, "--now", NOW, *files)
        assert run.run(*given, *files, kill_at=15).code == KILLED
        missing = run.run(*given, files[1], files[2])
        assert missing.code == 2
        assert re.search(rf"killed after line \d+ of {files[0]}; expected that file", missing.err)
        assert run.run(*given).code == 2
        shown = run.run(*given, "--preview")
        assert (shown.code, shown.err != "", len(shown.out.splitlines()) > 1) == (0, True, True)
        changed = config(tmp_path, document(flush={"by": "end_of_transaction"}))
        assert "expected that run to be finished first" in run.run(*given, *files).err
        config(tmp_path, document())
        ended = run.run("--config", changed, *given[2:], files[2], files[0], files[1])
    assert ended.code == 0, ended.err
    found = [json.loads(line)["values"] for line in ended.out.splitlines()]
    assert found == [json.loads(line)["values"] for line in whole.out.splitlines()]


def test_a_killed_run_keeps_its_time_unless_it_is_told_another(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    agg, one = config(tmp_path, document()), file(tmp_path, "1.jsonl", records(1, 30))
    given = ("--config", agg, "--state", tmp_path / "state", "--clock", f"trial:{clock}", one)
    with runner(tmp_path) as run:
        clock.write_text(NOW)
        assert run.run(*given, kill_at=15).code == KILLED
        clock.write_text("2025-12-24T00:00:00Z")
        ended = run.run(*given)
    times = {json.loads(line)["meta"]["lastEvent"] for line in ended.out.splitlines()}
    assert times == {"2025-11-03T04:30:00.000Z"}


def test_an_abandoned_file_stays_as_far_as_it_was_applied(tmp_path: Path) -> None:
    agg = config(tmp_path, document())
    one, two = (file(tmp_path, f"{i}.jsonl", records(i, 30)) for i in (1, 2))
    given = ("--config", agg, "--state", tmp_path / "state", "--now", NOW, "--json")
    with runner(tmp_path) as run:
        assert run.run(*given, one, kill_at=15).code == KILLED
        ended = run.run(*given, "--abandon", two)
        assert ended.code == 0, ended.err
        count = json.loads(ended.err.splitlines()[0])["count"]
        assert 30 < count["in"] < 60
        assert count["in"] == count["flushed"] + count["rejected"]
        assert run.run(*given, one).code == 1
