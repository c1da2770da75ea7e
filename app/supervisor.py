"""Several workers of one machine as one command: starts them, keeps them, stops them.

Each child is a static member of the consumer group under a name that stays, with a data directory
and a web port of its own. One that dies is started again, later each time it dies young.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

logger = logging.getLogger(__name__)
YOUNG_S = 60.0  # who lives that long was well: its next end waits as short as the first
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
LOOK_S = 0.1
STOP_S = 10.0  # a worker stops within 8 s
HOPELESS = (2, 3)  # used wrong, not reachable: at the very start that is the person's to repair

Start = Callable[[int], subprocess.Popen[bytes]]
"""Starts the child of that number."""


@dataclass
class Child:
    """One worker process. `again_at_s`: when it is started again, after it died."""

    number: int
    process: subprocess.Popen[bytes]
    began_s: float
    wait_s: float = FIRST_WAIT_S
    again_at_s: float | None = None
    starts: int = 1


@dataclass
class Supervisor:
    """Runs `count` children until a signal, or until one can't even begin. `now_s`: monotonic."""

    count: int
    start: Start
    now_s: Callable[[], float] = time.monotonic
    children: list[Child] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """0 when it was told to stop; the exit code of a child that couldn't begin."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._end)
        code = 0
        try:
            for number in range(self.count):
                self.children.append(Child(number, self.start(number), self.now_s()))
            while not self._ended.wait(LOOK_S):
                code = self.look()
                if code:
                    break
        finally:
            self.stop()
        return code

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ended.set()

    def look(self) -> int:
        """Starts what died and has waited; an exit code when going on is of no use."""
        now_s = self.now_s()
        for child in self.children:
            if child.again_at_s is not None:
                if now_s >= child.again_at_s:
                    child.process, child.began_s = self.start(child.number), now_s
                    child.again_at_s, child.starts = None, child.starts + 1
                continue
            code = child.process.poll()
            if code is None:
                continue
            lived_s = now_s - child.began_s
            if child.starts == 1 and code in HOPELESS and lived_s < YOUNG_S:
                return code
            if lived_s >= YOUNG_S:
                child.wait_s = FIRST_WAIT_S
            logger.warning(
                "worker %d ended with %d, again in %g s", child.number, code, child.wait_s
            )
            child.again_at_s = now_s + child.wait_s
            child.wait_s = min(2 * child.wait_s, LONGEST_WAIT_S)
        return 0

    def stop(self) -> None:
        """Stops all of them; whoever doesn't in time is killed."""
        living = [child.process for child in self.children if child.process.poll() is None]
        for process in living:
            process.terminate()
        until_s = self.now_s() + STOP_S
        for process in living:
            try:
                process.wait(max(0.0, until_s - self.now_s()))
            except subprocess.TimeoutExpired:
                logger.warning("process %d did not stop and is killed", process.pid)
                process.kill()
                process.wait()


def starter(arguments: Callable[[int], Sequence[str]]) -> Start:
    """Starts children of this very program, the way it was started itself. They end with it, also
    when it is killed."""

    def start(number: int) -> subprocess.Popen[bytes]:
        ours = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
        command = [sys.executable, *ours, *arguments(number)]
        return subprocess.Popen(command, preexec_fn=_end_with_parent)

    return start


def _end_with_parent() -> None:
    """Asks for SIGTERM when the parent ends, and leaves the terminal's Ctrl-C to the parent."""
    os.setpgrp()
    if sys.platform.startswith("linux"):
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)
