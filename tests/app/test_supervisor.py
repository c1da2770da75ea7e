"""Workers kept running: who dies comes again, later each time; who can't begin ends all."""

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.supervisor import LONGEST_WAIT_S, YOUNG_S, Supervisor


@dataclass
class Process:
    """A process that a test ends."""

    code: int | None = None
    said: list[str] = field(default_factory=list)
    obeys: bool = True
    pid: int = 1

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.said.append("terminate")
        if self.obeys:
            self.code = 0

    def kill(self) -> None:
        self.said.append("kill")
        self.code = -9

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            raise subprocess.TimeoutExpired("x", timeout or 0)
        return self.code


class Watched:
    """A supervisor on a clock and processes of the test's own."""

    def __init__(self, count: int = 1) -> None:
        self.now_s = 0.0
        self.started: list[tuple[int, Process]] = []
        self.supervisor = Supervisor(count, self._start, lambda: self.now_s)
        for number in range(count):
            self.supervisor.children.append(_child(number, self._start(number)))

    def _start(self, number: int) -> Any:
        self.started.append((number, Process()))
        return self.started[-1][1]

    def dies(self, code: int) -> None:
        self.started[-1][1].code = code

    def looks(self, after_s: float) -> int:
        self.now_s += after_s
        return self.supervisor.look()


def _child(number: int, process: Any) -> Any:
    from app.supervisor import Child

    return Child(number, process, 0.0)


def test_who_dies_is_started_again_after_a_wait_that_doubles() -> None:
    watched = Watched()
    waits = []
    for _ in range(8):
        watched.dies(1)
        assert watched.looks(0.1) == 0
        before, count = watched.now_s, len(watched.started)
        while len(watched.started) == count:
            watched.looks(0.5)
        waits.append(watched.now_s - before)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert waits[-1] == LONGEST_WAIT_S


def test_who_lived_for_long_waits_as_short_as_the_first_time() -> None:
    watched = Watched()
    for lived_s in (1.0, 1.0, YOUNG_S):
        watched.looks(lived_s)
        watched.dies(-9)
        watched.looks(0.0)
        count = len(watched.started)
        watched.looks(1.0 if lived_s == YOUNG_S or count == 1 else 2.0)
        assert len(watched.started) == count + 1


@pytest.mark.parametrize("code", [2, 3])
def test_who_cannot_even_begin_ends_the_whole(code: int) -> None:
    watched = Watched()
    watched.dies(code)
    assert watched.looks(1.0) == code


def test_a_stream_that_goes_away_later_is_waited_for() -> None:
    watched = Watched()
    watched.dies(1)
    watched.looks(0.1)
    watched.looks(1.0)
    watched.dies(3)
    assert watched.looks(0.1) == 0


def test_all_are_stopped_and_who_does_not_obey_is_killed() -> None:
    watched = Watched(2)
    watched.started[1][1].obeys = False
    watched.supervisor.stop()
    assert [process.said for _, process in watched.started] == [
        ["terminate"], ["terminate", "kill"],
    ]  # fmt: skip


def test_children_are_started_as_the_program_itself_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from app import supervisor

    seen: list[Any] = []

    class Popen:
        def __class_getitem__(cls, _: Any) -> Any:
            return cls

        def __init__(self, words: Any, **_: Any) -> None:
            seen.append(words)

    monkeypatch.setattr(
        sys, "orig_argv", ["python", "-P", "-m", "app.cli", "worker", "--role", "x"]
    )
    monkeypatch.setattr(sys, "argv", ["/app/cli/__main__.py", "worker", "--role", "x"])
    monkeypatch.setattr(subprocess, "Popen", Popen)
    supervisor.starter(lambda number: ["worker", str(number)])(3)
    assert seen == [[sys.executable, "-P", "-m", "app.cli", "worker", "3"]]
