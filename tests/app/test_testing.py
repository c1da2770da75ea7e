"""The switch that kills a worker at a step of its commits."""

import os
import signal

import pytest

from app.testing import kill_switch
from domain.errors import UsageError


def test_it_kills_at_the_nth_passing_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    passed = kill_switch({"SLUICE_TEST_KILL": "2:3"})
    for step in (0, 1, 2, 3, 4, 2):
        passed(step)
    assert killed == []
    passed(2)
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_without_the_variable_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("killed"))
    passed = kill_switch({})
    assert [passed(step) for step in range(5)] == [None] * 5


@pytest.mark.parametrize("text", ["5:1", "1", "1:0", "a:1", "-1:2", "1:"])
def test_what_is_no_step_and_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="STEP:N"):
        kill_switch({"SLUICE_TEST_KILL": text})
