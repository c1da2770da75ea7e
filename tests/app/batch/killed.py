"""Runs of `sluice` that are killed with SIGKILL at a step of their commits.

A process that has everything loaded and forks for each run: `python -m tests.app.batch.killed`,
told what to do by JSON on standard input, a line each.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.batch import command
from app.cli.main import main
from connectors.formats import blocks, parquet
from tests.app.cli.running import ROOT

BLOCK_BYTES = 600  # so that small files take many commits
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a run ended; `steps` were taken (0 when it was killed)."""

    code: int
    out: str
    err: str
    steps: int


class Runner:
    """Starts runs in a folder, one at a time."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder

    def run(self, *arguments: str | Path, kill_at: int = 0) -> Ended:
        """One run of `sluice aggregate`; takes its step number `kill_at` (from 1) and is killed."""
        told = {"arguments": [str(a) for a in arguments], "kill_at": kill_at}
        source, sink = self._process.stdin, self._process.stdout
        assert source is not None and sink is not None
        source.write(json.dumps({**told, "folder": str(self._folder)}) + "\n")
        source.flush()
        answer = json.loads(sink.readline())
        out, err = ((self._folder / name).read_text() for name in ("stdout", "stderr"))
        return Ended(answer["code"], out, err, answer["steps"])


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """A runner whose runs write into `folder`."""
    words = [sys.executable, "-m", "tests.app.batch.killed"]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Runner(process, folder)
        if process.stdin is not None:
            process.stdin.close()


def _serve() -> None:
    for line in sys.stdin:
        told = json.loads(line)
        steps, count = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(steps)
            _child(told, count)
        os.close(count)
        _, status = os.waitpid(child, 0)
        with os.fdopen(steps) as taken:
            answer = {"code": os.waitstatus_to_exitcode(status), "steps": int(taken.read() or 0)}
        print(json.dumps(answer), flush=True)


def _child(told: dict[str, Any], count: int) -> None:
    folder = Path(told["folder"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    taken = 0

    def on_step(_: int) -> None:
        nonlocal taken
        taken += 1
        if taken == told["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    blocks.BLOCK_BYTES = BLOCK_BYTES
    parquet.CHUNK_ROWS = 16
    command.execute = partial(command.execute, on_step=on_step)
    code = _run(told["arguments"])
    os.write(count, str(taken).encode())
    os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    code = main(["aggregate", *arguments], {})
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _serve()
