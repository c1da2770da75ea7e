"""docs/guide-webhooks.md holds: its lines do what they show, and totals arrive signed."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.server import running
from tests.end_to_end.test_readme import does_what_it_shows
from tests.end_to_end.tour import ROOT, blocks, steps
from tests.waiting import until

TEXT = (ROOT / "docs/guide-webhooks.md").read_text(encoding="utf-8")
ARRIVE_S = 20.0


@contextmanager
def receiver(command: str, out: Path) -> Iterator[None]:
    """Runs the receiver as shown until the block ends."""
    with out.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: "listening" in out.read_text() or process.poll() is not None, ARRIVE_S)
        assert process.poll() is None, out.read_text()
        yield
    finally:
        process.kill()
        process.wait()


def test_calls_of_a_csv_arrive_as_signed_totals(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, receive, start, *rest = steps(TEXT)
    name = export.command.removeprefix("export ").partition("=")[0]
    made = subprocess.check_output(["bash", "-c", f"{export.command}; printenv {name}"], text=True)
    monkeypatch.setenv(name, made.strip())
    assert "SLUICE_SERVER" not in os.environ and len(rest) >= 6
    out = tmp_path / "receiver.out"
    with (
        receiver(receive.command, out),
        running(start.command, tmp_path, free_port) as said,
    ):
        assert start.fits(said.replace(str(free_port), "6066"))
        for step in rest:
            does_what_it_shows(step, tmp_path, free_port)
    (shown,) = blocks(TEXT, "text")
    arrived = [line for line in out.read_text().splitlines() if re.match(r"\w+: ", line)]
    assert sorted(arrived) == shown.splitlines()
