"""The file of a trial clock: its line, and the ways to move it.

Writing is a rename into place, so that a reader sees the old line or the new one. Nothing here
lets time go back.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from domain.aggregation.instants import parse_instant, print_instant
from domain.errors import SluiceError

EXPECTED = "INSTANT or INSTANT SPEED SINCE, such as 2025-11-03T04:30:00Z"


class TrialClockError(SluiceError):
    """The clock file can't be read, or does not hold a line of the right form (exit 2)."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"clock file {path} {problem}, expected {EXPECTED}")


class ClockWouldGoBack(SluiceError):
    """The clock was asked to go back; it stands as it did (exit 2)."""

    exit_code = 2

    def __init__(self, now_ms: int, wanted_ms: int) -> None:
        self.now_ms = now_ms
        self.wanted_ms = wanted_ms
        super().__init__(
            f"the clock is at {print_instant(now_ms)} and can't go back to "
            f"{print_instant(wanted_ms)}; a trial that begins earlier needs a new data directory"
        )


@dataclass(frozen=True)
class Line:
    """Where a trial clock stands, or how it runs. Epoch milliseconds; speed 0 stands still."""

    instant_ms: int
    speed: float = 0.0
    since_ms: int = 0

    def at(self, real_ms: int) -> int:
        """The trial time at the real time `real_ms`."""
        return self.instant_ms + int(self.speed * (real_ms - self.since_ms))

    def __str__(self) -> str:
        instant = print_instant(self.instant_ms)
        if not self.speed:
            return instant
        speed = f"{self.speed:f}".rstrip("0").rstrip(".")
        return f"{instant} {speed} {print_instant(self.since_ms)}"


def read_line(path: Path) -> Line:
    """The line of the file; raises TrialClockError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TrialClockError(path, "is not there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TrialClockError(path, f"can't be read: {error}") from None
    line = _parsed(text.split())
    if line is None:
        raise TrialClockError(path, f"holds {text.strip()[:80]!r}")
    return line


def _parsed(words: list[str]) -> Line | None:
    if len(words) not in (1, 3):
        return None
    instant_ms = parse_instant(words[0])
    if instant_ms is None:
        return None
    if len(words) == 1:
        return Line(instant_ms)
    since_ms = parse_instant(words[2])
    if since_ms is None or not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", words[1], re.ASCII):
        return None
    return Line(instant_ms, float(words[1]), since_ms)


def stand(path: Path, instant_ms: int, real_ms: int) -> Line:
    """Puts the clock at an instant, where it stands; makes the file when there is none.

    Raises ClockWouldGoBack, TrialClockError.
    """
    return _moved(path, Line(instant_ms), real_ms)


def advance(path: Path, by_ms: int, real_ms: int) -> Line:
    """Moves the clock on; one that runs goes on running. Raises as `stand` does."""
    now = read_line(path)
    return _moved(path, Line(now.at(real_ms) + by_ms, now.speed, real_ms), real_ms)


def run(path: Path, speed: float, real_ms: int) -> Line:
    """Lets the clock run on from where it is. Raises as `stand` does."""
    return _moved(path, Line(read_line(path).at(real_ms), speed, real_ms), real_ms)


def _moved(path: Path, line: Line, real_ms: int) -> Line:
    if path.exists():
        now_ms = read_line(path).at(real_ms)
        if line.at(real_ms) < now_ms:
            raise ClockWouldGoBack(now_ms, line.at(real_ms))
    _write(path, line)
    return line


def _write(path: Path, line: Line) -> None:
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{line}\n")
        Path(temporary).replace(path)
    except OSError as error:
        raise TrialClockError(path, f"can't be written: {error}") from None
