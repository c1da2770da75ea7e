"""`sluice clock`: shows and moves a trial clock's file."""

from pathlib import Path

import pytest

from config.trial_file import read_line
from tests.app.cli.running import sluice

AT = "2025-11-03T04:30:00.000Z"


def test_set_makes_the_file_where_time_stands(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    ran = sluice("clock", "set", "2025-11-03T04:30:00Z", "--clock", file)
    assert (ran.code, ran.out) == (0, f"{AT}, trial clock of {file}, stands still\n")
    assert file.read_text() == f"{AT}\n"


@pytest.mark.parametrize(
    ("by", "now"),
    [
        (["1h"], "2025-11-03T05:30:00.000Z"),
        (["1d", "2h", "30m"], "2025-11-04T07:00:00.000Z"),
        (["1d2h"], "2025-11-04T06:30:00.000Z"),
        (["1.5s", "250ms"], "2025-11-03T04:30:01.750Z"),
    ],
)
def test_advance_adds_durations_up(tmp_path: Path, by: list[str], now: str) -> None:
    environ = {"SLUICE_CLOCK": f"trial:{tmp_path / 'clock'}"}
    sluice("clock", "set", AT, environ=environ)
    ran = sluice("clock", "advance", *by, "--json", environ=environ)
    assert ran.json == {"now": now, "trial": True, "speed": 0, "file": str(tmp_path / "clock")}


def test_run_lets_it_go_at_a_speed(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    sluice("clock", "set", AT, "--clock", file)
    ran = sluice("clock", "run", "60", "--clock", file)
    assert "runs at speed 60" in ran.out
    assert read_line(file).speed == 60.0
    assert sluice("clock", "run", "2.5", "--clock", file, "--json").json["speed"] == 2.5
    sluice("clock", "run", "0", "--clock", file)
    assert read_line(file).speed == 0.0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["set", "2025-11-03T04:29:59Z"], "can't go back"),
        (["advance", "3000000d"], "past the year 9999"),
    ],
)
def test_a_clock_stays_where_it_can_not_go_on(
    tmp_path: Path, arguments: list[str], why: str
) -> None:
    file = tmp_path / "clock"
    sluice("clock", "set", AT, "--clock", file)
    ran = sluice("clock", *arguments, "--clock", file)
    assert ran.code == 2
    assert why in ran.err
    assert file.read_text() == f"{AT}\n"


def test_the_systems_clock_is_shown_and_not_moved() -> None:
    shown = sluice("clock", "show", "--json")
    assert (shown.code, shown.json["trial"]) == (0, False)
    moved = sluice("clock", "advance", "1h")
    assert moved.code == 2
    assert "--clock FILE or SLUICE_CLOCK=trial:FILE" in moved.err


@pytest.mark.parametrize(
    "arguments",
    [["set", "2025-11-03"], ["set", "now"], ["advance", "5"], ["advance", "1h x"], ["run", "-1x"]],
)
def test_what_is_no_time_is_used_wrong(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "clock"
    sluice("clock", "set", AT, "--clock", file)
    ran = sluice("clock", *arguments, "--clock", file)
    assert ran.code == 2
    assert file.read_text() == f"{AT}\n"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    ran = sluice("clock", "show", "--clock", tmp_path / "none")
    assert ran.code == 2
    assert "none is not there" in ran.err
