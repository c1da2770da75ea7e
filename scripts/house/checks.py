"""Format, lint, types and tests with one summary: what `scripts/test` and CI run."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.house import servers
from scripts.house.packages import NotInstalled, ensure_command
from scripts.house.processes import NotUp

ROOT = Path(__file__).resolve().parents[2]
IN_ORDER = ["--no-loadscope-reorder"]  # see tests/conftest.py
PROCESSES = min(2, os.cpu_count() or 1)  # more wait for each other: many tests start workers
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Outcome:
    """What one step came to. `notes` go into the summary."""

    name: str
    passed: bool
    seconds: float
    notes: list[str] = field(default_factory=list)
    last_line: str = ""


def run(name: str, command: Sequence[str], environ: dict[str, str] | None = None) -> Outcome:
    """Runs one step, showing what it says as it says it."""
    print(f"--- {name}", flush=True)
    began_s = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    notes, last = [], ""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        last = line.strip() or last
        if line.startswith("SKIPPED "):
            notes.append(f"skipped: {line.removeprefix('SKIPPED ').strip()}")
    code = process.wait()
    return Outcome(name, code == 0, time.monotonic() - began_s, notes, last)


def tests_of(path: str) -> list[str]:
    """The tests that mirror `path`: itself below tests/, else its twin there if there is one."""
    file, _, case = path.partition("::")
    inside = Path(os.path.relpath(ROOT / file, ROOT))
    if inside.parts[:1] in ((), ("tests",)):
        return [path if case else str(inside)]
    twin = Path("tests") / inside
    twins = [twin, twin.with_name(f"test_{twin.name}")]
    return [str(each) for each in twins if (ROOT / each).exists()]


def asked_for(fixture: str, paths: Iterable[str]) -> bool:
    """Whether a test among `paths` takes the fixture, as a parameter or by its name as text."""
    return said(rf"\b{fixture}: str\b|[\"']{fixture}[\"']", paths)


def said(pattern: str, paths: Iterable[str]) -> bool:
    """Whether a test among `paths` has a place that matches the pattern."""
    asks = re.compile(pattern)
    for path in paths:
        top = ROOT / path.partition("::")[0]
        # fixtures of the folders above count too, but not those that only define the servers
        above = [folder / "conftest.py" for folder in top.parents if ROOT in folder.parents]
        for file in [*above, *([top] if top.is_file() else top.rglob("*.py"))]:
            defines = file in (ROOT / "tests" / "conftest.py", ROOT / "tests" / "servers.py")
            if not defines and file.exists() and asks.search(file.read_text()):
                return True
    return False


# server -> the fixture that gives its address, where that has another name
FIXTURES = {"mongo": "mongo_url", "mysql": "mysql_url", "s3": "s3_url"}


def bring_up(tests: Sequence[str]) -> tuple[list[str], list[str]]:
    """Starts what `tests` need: the servers started here, and why others can't be had."""
    started, missing = [], []
    for name in servers.SERVERS:
        if asked_for(FIXTURES.get(name, name), tests):
            try:
                if servers.start(name, fresh=True):
                    started.append(name)
            except (NotUp, NotInstalled) as error:
                missing.append(f"{name}: {error}")
    if said(r"\bmark\.browser\b", tests) and not any(map(shutil.which, BROWSERS)):
        try:
            ensure_command("chromium", "chromium")
        except NotInstalled as error:
            missing.append(f"browser: {error}")
    return started, missing


def environment(faults: bool) -> dict[str, str]:
    """What the tests find in their environment."""
    environ = dict(os.environ)
    environ.setdefault("PYTHONHASHSEED", str(random.randrange(1, 2**32)))
    environ.pop("NO_COLOR", None)
    # Many tests start processes: each would compile all of the product again.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if faults:
        environ["SLUICE_TEST_FAULTS"] = "1"
    return environ


def split(words: Sequence[str]) -> tuple[bool, list[str], list[str]]:
    """--faults or not, the paths, and what is left for pytest: all from the first option on."""
    rest = [word for word in words if word != "--faults"]
    first = next((i for i, word in enumerate(rest) if word.startswith("-")), len(rest))
    return "--faults" in words, rest[:first], rest[first:]


def summary(outcomes: Sequence[Outcome], missing: Sequence[str], seed: str) -> bool:
    """Prints it, pytest's own last line last; whether all is green."""
    green = all(outcome.passed for outcome in outcomes) and not (missing and os.environ.get("CI"))
    print(f"\n=== summary ({'green' if green else 'RED'}, PYTHONHASHSEED={seed})")
    for outcome in outcomes:
        state = "ok  " if outcome.passed else "FAIL"
        print(f"{state} {outcome.name} ({outcome.seconds:.0f} s)")
        for note in outcome.notes:
            print(f"     {note}")
    for problem in missing:
        print(f"{'FAIL' if os.environ.get('CI') else 'none'} {problem}")
    print(outcomes[-1].last_line, flush=True)
    return green


def main(words: Sequence[str]) -> int:
    """Exit 0 when all is green, 1 when not, 2 for a path that is not there."""
    faults, paths, options = split(words)
    absent = [path for path in paths if not (ROOT / path.partition("::")[0]).exists()]
    if absent:
        print(f"sluice: {', '.join(absent)}: no such path in {ROOT}", file=sys.stderr)
        return 2
    python = [sys.executable, "-m"]
    sources = [path.partition("::")[0] for path in paths] or ["."]
    outcomes = [
        run("format", [*python, "ruff", "format", "--check", *sources]),
        run("lint", [*python, "ruff", "check", *sources]),
        run("types", [*python, "mypy", *(paths and sources)]),
    ]
    tests = [test for path in paths for test in tests_of(path)] if paths else ["tests"]
    environ = environment(faults)
    missing: list[str] = []
    if tests:
        started, missing = bring_up(tests)
        try:
            # a file's tests share what it has set up, so files are what is divided
            divided = [] if paths else ["-n", str(PROCESSES), "--dist", "loadfile", *IN_ORDER]
            outcomes.append(run("tests", [*python, "pytest", *tests, *divided, *options], environ))
        finally:
            for name in started:
                servers.stop(name)
    return 0 if summary(outcomes, missing, environ["PYTHONHASHSEED"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
