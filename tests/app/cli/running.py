"""Running `sluice` in tests: in this process, or as one of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.cli.main import main

ROOT = Path(__file__).parents[3]
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@dataclass(frozen=True)
class Ran:
    """How a run ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def sluice(
    *arguments: str | Path,
    server: str = NOBODY,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
) -> Ran:
    """Runs `sluice` in this process, talking to `server`."""
    out, err = _captured(), _captured()
    source = io.TextIOWrapper(io.BytesIO(stdin))
    given = {"SLUICE_SERVER": server, **(environ or {})}
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", source):
        code = main([str(a) for a in arguments], given)
    return Ran(code, _text(out), _text(err))


def sluice_process(
    *arguments: str | Path, stdin: bytes = b"", environ: Mapping[str, str] | None = None
) -> Ran:
    """Runs `sluice` as a process of its own."""
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environment(environ),
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def command(*arguments: str | Path) -> Sequence[str]:
    """The words that start `sluice`."""
    return [sys.executable, "-m", "app.cli", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without its settings."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("SLUICE_")}
    return {**kept, **(more or {})}


def _captured() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    below = stream.buffer
    if not isinstance(below, io.BytesIO):
        raise TypeError(f"{below!r} is not what was captured into")
    return below.getvalue().decode()
