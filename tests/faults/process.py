"""One worker process as a test has it: started, asked, stopped, killed; by its own id only."""

import itertools
import json
import os
import select
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults import worker_process

ROOT = Path(__file__).resolve().parents[2]


class NoAnswer(AssertionError):
    """The process didn't answer: it is dead, stopped, or has no worker at the moment."""


class Process:
    """`python -m MODULE` (see worker_process) under these settings; its log is `log`."""

    def __init__(
        self, settings: dict[str, str], log: Path, module: str = worker_process.__name__
    ) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        self.log = log
        self._numbers = itertools.count()
        self._read = b""
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=environ | settings,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
            )

    @property
    def dead(self) -> bool:
        """Whether it has ended, however."""
        return self.popen.poll() is not None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        return Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def say(self, ask: str, **details: Any) -> int:
        """Asks without waiting for the answer; returns the number of the question."""
        number = next(self._numbers)
        line = json.dumps({"number": number, "ask": ask, **details}).encode() + b"\n"
        assert self.popen.stdin is not None
        try:
            self.popen.stdin.write(line)
        except BrokenPipeError:
            raise NoAnswer(f"process {self.popen.pid} is dead") from None
        return number

    def ask(self, ask: str, timeout_s: float = 10.0, **details: Any) -> Any:
        """The answer to a question (see worker_process.Answers); raises NoAnswer."""
        number = self.say(ask, **details)
        while True:
            told = json.loads(self._line(timeout_s), parse_float=Decimal)
            if told["number"] == number:
                if "error" in told:
                    raise NoAnswer(told["error"])
                return told["answer"]

    def _line(self, timeout_s: float) -> bytes:
        assert self.popen.stdout is not None
        while b"\n" not in self._read:
            ready, _, _ = select.select([self.popen.stdout], [], [], timeout_s)
            more = self.popen.stdout.read(1 << 20) if ready else b""
            if not more:
                what = "has ended" if ready else f"said nothing for {timeout_s:g} s"
                raise NoAnswer(f"process {self.popen.pid} {what}; see {self.log}")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.popen.send_signal(number)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        self.popen.kill()
        self._close()

    def stop(self) -> int:
        """Tells it to stop in good order; returns its exit code."""
        self.popen.terminate()
        try:
            self.popen.wait(40)
        finally:
            self.popen.kill()
            self._close()
        return self.popen.returncode

    def _close(self) -> None:
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()
