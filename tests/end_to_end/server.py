"""A real server in a process of its own, started as a person starts it."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0  # set-up included, on a machine that does other things too
STOP_S = 20.0


def environ(folder: Path, port: int) -> dict[str, str]:
    """What makes the commands of a person meet this server, and nobody else's."""
    return {
        **os.environ,
        "SLUICE_DATA_DIR": str(folder / "data"),
        "SLUICE_WEB_PORT": str(port),
        "SLUICE_SERVER": f"http://127.0.0.1:{port}",
        "NO_COLOR": "1",
    }


@contextmanager
def running(command: str, folder: Path, port: int) -> Iterator[str]:
    """Runs the command line until the block ends; gives its output once it serves.

    It must end well when it is asked to.
    """
    out = folder / "server.out"
    with out.open("wb") as file:
        process = _start(command, folder, port, file)
    try:
        until(lambda: process.poll() is not None or _is_ready(port), START_S, "the server serves")
        assert process.poll() is None, out.read_text()
        yield out.read_text()
        process.terminate()
        assert process.wait(STOP_S) == 0, out.read_text()
    finally:
        process.kill()
        process.wait()


def _start(command: str, folder: Path, port: int, out: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=ROOT,
        env=environ(folder, port),
        stdout=out,
        stderr=subprocess.STDOUT,
    )


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
