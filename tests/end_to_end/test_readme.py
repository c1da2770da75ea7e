"""README.md holds: its tour does what it shows, command by command, on one running server."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.server import environ, running
from tests.end_to_end.tour import README, ROOT, Step, blocks, steps
from tests.waiting import NeverHappened, until

TEXT = README.read_text(encoding="utf-8")
COMMAND_S = 120.0
SETTLE_S = 10.0  # a record is applied a moment after it was accepted
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), README]


def run(step: Step, folder: Path, port: int) -> str:
    """What a command prints, as a person sees it; it must end well."""
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=ROOT,
        env=environ(folder, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
    )
    assert done.returncode == 0, f"$ {step.command}\n{done.stdout}"
    return done.stdout


def does_what_it_shows(step: Step, folder: Path, port: int) -> None:
    """Commands that only look are repeated until what was produced before has been applied."""
    looks = re.search(r"run (totals|sessions|dead-letters|sinks) ", step.command) is not None
    seen: list[str] = []

    def fits() -> bool:
        seen.append(run(step, folder, port))
        return step.fits(seen[-1])

    try:
        until(fits, SETTLE_S if looks else 0.0)
    except NeverHappened:
        shown = "\n".join(step.shown)
        pytest.fail(f"$ {step.command}\n{seen[-1]}\nthe page shows\n{shown}")


def test_the_tour_does_what_it_shows(tmp_path: Path, free_port: int) -> None:
    start, *rest = steps(TEXT)
    assert len(rest) >= 8
    with running(start.command, tmp_path, free_port) as said:
        assert start.fits(said.replace(str(free_port), "6066"))
        for step in rest:
            does_what_it_shows(step, tmp_path, free_port)


def test_the_document_shown_is_the_one_that_is_applied() -> None:
    assert blocks(TEXT, "yaml") == [(ROOT / "docs/tour/data.yaml").read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (page.parent / link).exists()] == []
