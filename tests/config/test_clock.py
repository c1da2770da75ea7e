"""Clocks: the trial clock stands, runs and is moved, and no clock goes back."""

import logging
import time
from pathlib import Path

import pytest

from config import trial_file
from config.clock import LOOK_INTERVAL_S, SystemClock, TrialClock, clock_from, system_ms
from config.settings import Settings
from config.trial_file import ClockWouldGoBack, Line, TrialClockError, read_line
from domain.aggregation.instants import parse_instant
from domain.clock import FixedClock
from tests.waiting import until


def at(text: str) -> int:
    found = parse_instant(text)
    assert found is not None
    return found


START_MS = at("2025-11-03T04:30:00Z")
REAL_MS = at("2026-01-01T00:00:00Z")


class Machine:
    """Stands in for the machine's clocks; every move makes the next look due."""

    def __init__(self) -> None:
        self.real_ms = REAL_MS

    def pass_s(self, seconds: float) -> None:
        self.real_ms += int(seconds * 1000)

    def system_ms(self) -> int:
        return self.real_ms

    def monotonic(self) -> float:
        return self.real_ms / 1000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("config.clock.system_ms", machine.system_ms)
    monkeypatch.setattr("config.clock.time.monotonic", machine.monotonic)
    return machine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock"


def trial(file: Path, line: str) -> TrialClock:
    file.write_text(line + "\n")
    return TrialClock(file)


def test_one_instant_stands(file: Path, machine: Machine) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    machine.pass_s(3600)
    assert clock.now_ms() == START_MS


def test_speed_and_since_make_it_run(file: Path, machine: Machine) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z 60 2026-01-01T00:00:00Z")
    assert clock.now_ms() == START_MS
    machine.pass_s(2.5)
    assert clock.now_ms() == START_MS + 150_000


def test_time_passes_while_nobody_looks(file: Path, machine: Machine) -> None:
    machine.pass_s(10)
    clock = trial(file, "2025-11-03T04:30:00Z 2 2026-01-01T00:00:00Z")
    assert clock.now_ms() == START_MS + 20_000


def test_a_later_line_moves_it(file: Path, machine: Machine) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    trial_file.stand(file, at("2025-11-04T00:00:00Z"), machine.real_ms)
    machine.pass_s(0.2)
    assert clock.now_ms() == at("2025-11-04T00:00:00Z")


def test_a_line_that_takes_time_back_is_ignored_with_one_warning(
    file: Path, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    file.write_text("2025-11-03T04:29:59.999Z\n")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            machine.pass_s(0.2)
            assert clock.now_ms() == START_MS
    (record,) = caplog.records
    assert "take time back" in record.getMessage()


def test_a_running_clock_is_not_set_to_where_it_came_past(file: Path, machine: Machine) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z 60 2026-01-01T00:00:00Z")
    machine.pass_s(10)
    file.write_text("2025-11-03T04:35:00Z\n")  # the clock shows 04:40 by now
    machine.pass_s(1)
    assert clock.now_ms() == START_MS + 11 * 60_000


@pytest.mark.parametrize(
    "line", ["", "yesterday", "2025-11-04", "2025-11-04T00:00:00Z 60", "a b c"]
)
def test_an_unreadable_line_leaves_the_one_before(
    file: Path, machine: Machine, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    file.write_text(line)
    machine.pass_s(0.2)
    assert clock.now_ms() == START_MS
    assert len(caplog.records) == 1


def test_a_file_that_vanishes_leaves_the_line_before(
    file: Path, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    file.unlink()
    machine.pass_s(0.2)
    assert clock.now_ms() == START_MS
    assert "is not there" in caplog.text


def test_there_is_no_trial_without_a_line(file: Path) -> None:
    with pytest.raises(TrialClockError, match="is not there"):
        TrialClock(file)
    with pytest.raises(TrialClockError, match="holds 'noon', expected INSTANT"):
        trial(file, "noon")


def test_it_looks_at_least_five_times_a_second(file: Path) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    trial_file.stand(file, START_MS + 1, system_ms())
    began = time.monotonic()
    until(lambda: clock.now_ms() == START_MS + 1, 5)
    assert LOOK_INTERVAL_S <= 0.2
    assert time.monotonic() - began < 4.0  # 0.2 and room for a busy machine


def test_between_two_looks_the_file_is_left_alone(
    file: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = trial(file, "2025-11-03T04:30:00Z")
    looks: list[int] = []
    monkeypatch.setattr(clock, "_signature", lambda: looks.append(1))
    for _ in range(1000):
        clock.now_ms()
    assert looks == []


def test_a_running_clock_is_advanced_and_runs_on(file: Path) -> None:
    trial_file.stand(file, START_MS, REAL_MS)
    trial_file.run(file, 60, REAL_MS)
    line = trial_file.advance(file, 5_000, REAL_MS + 1_000)
    assert line == read_line(file) == Line(START_MS + 65_000, 60.0, REAL_MS + 1_000)
    assert file.read_text() == "2025-11-03T04:31:05.000Z 60 2026-01-01T00:00:01.000Z\n"


def test_setting_a_running_clock_makes_it_stand(file: Path) -> None:
    trial_file.stand(file, START_MS, REAL_MS)
    trial_file.run(file, 60, REAL_MS)
    trial_file.stand(file, START_MS + 120_000, REAL_MS + 1_000)
    assert read_line(file).at(REAL_MS + 10_000) == START_MS + 120_000


def test_the_clock_is_not_set_back(file: Path) -> None:
    trial_file.stand(file, START_MS, REAL_MS)
    with pytest.raises(
        ClockWouldGoBack, match=r"04:30:00\.000Z and can't go back to 2025-11-03T04:29"
    ):
        trial_file.stand(file, START_MS - 1, REAL_MS)
    with pytest.raises(ClockWouldGoBack):
        trial_file.advance(file, -1, REAL_MS)
    assert read_line(file) == Line(START_MS)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrialClockError, match="can't be written"):
        trial_file.stand(tmp_path / "none" / "clock", START_MS, REAL_MS)


def test_the_system_clock_waits_where_the_machine_is_set_back(
    machine: Machine,
) -> None:
    clock = SystemClock()
    before_ms = clock.now_ms()
    machine.pass_s(-60)
    assert clock.now_ms() == before_ms == REAL_MS
    machine.pass_s(61)
    assert clock.now_ms() == before_ms + 1_000


def test_the_settings_choose_the_clock(file: Path) -> None:
    file.write_text("2025-11-03T04:30:00Z\n")
    chosen = clock_from(Settings(clock=f"trial:{file}"))
    assert (chosen.is_trial, chosen.now_ms()) == (True, START_MS)
    assert not clock_from(Settings()).is_trial


def test_a_fixed_clock_goes_forward_only() -> None:
    clock = FixedClock(5)
    clock.advance(2)
    assert clock.now_ms() == 7
    with pytest.raises(ValueError, match="never goes back"):
        clock.set(6)
