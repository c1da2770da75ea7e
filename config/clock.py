"""Clocks of a process: the system's, and the trial clock that a file moves.

The trial clock's file holds one line: `INSTANT`, where time stands, or `INSTANT SPEED SINCE`:
now = instant + SPEED x (real now - SINCE). `trial_file` has the functions that write it.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

import domain.clock
from config.settings import Settings
from config.trial_file import TrialClockError, read_line

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.1
"""A look at the file is good for so long: twice as often as the five a second promised."""


def system_ms() -> int:
    """What the machine's clock shows, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Clock(domain.clock.Clock, Protocol):
    """The clock of a process: what rules take, and whether it is a trial."""

    @property
    def is_trial(self) -> bool:
        """Whether a file moves it; pages then say so."""

    @property
    def speed(self) -> float:
        """How many of its seconds pass in a real one; 0 while it stands."""


class SystemClock:
    """The machine's clock, except that it waits where the machine's is set back."""

    is_trial = False
    speed = 1.0

    def __init__(self) -> None:
        self._last_ms = 0

    def now_ms(self) -> int:
        """Now, in epoch milliseconds."""
        self._last_ms = max(self._last_ms, system_ms())
        return self._last_ms


class TrialClock:
    """The clock of a file; safe to be read by several threads.

    A line that can't be read, or would take time back, is ignored with one warning, and the
    one before stays in force. Raises TrialClockError when there is no line to begin with.
    """

    is_trial = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = self._signature()
        self._line = read_line(path)
        self._last_ms = self._line.at(system_ms())
        self._look_at_s = time.monotonic() + LOOK_INTERVAL_S

    def now_ms(self) -> int:
        """Now, in epoch milliseconds, by a line that is at most LOOK_INTERVAL_S old."""
        with self._lock:
            if time.monotonic() >= self._look_at_s:
                self._look()
            self._last_ms = max(self._last_ms, self._line.at(system_ms()))
            return self._last_ms

    @property
    def speed(self) -> float:
        """That of the line in force."""
        with self._lock:
            return self._line.speed

    def _look(self) -> None:
        self._look_at_s = time.monotonic() + LOOK_INTERVAL_S
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            line = read_line(self.path)
        except TrialClockError as error:
            log.warning("%s; the clock goes on by the line before", error)
            return
        real_ms = system_ms()
        # Against what was shown last: a standing line may be overtaken by the running one.
        if line.at(real_ms) < max(self._last_ms, self._line.at(real_ms)):
            log.warning("clock file %s would take time back to %s; ignored", self.path, line)
            return
        self._line = line

    def _signature(self) -> tuple[int, int, int] | None:
        """Changes with every rename into place and every write; None without a file."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def clock_from(settings: Settings) -> Clock:
    """The clock the settings ask for; TrialClockError when its file can't be read."""
    if not settings.clock:
        return SystemClock()
    return TrialClock(Path(settings.clock.removeprefix("trial:")))
