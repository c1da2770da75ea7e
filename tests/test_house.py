"""What holds for the whole tree: who may import whom, sizes, and what no file may say."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RANKS = {"app": 6, "bench": 5, "agents": 4, "tables": 3, "connectors": 3, "config": 2, "domain": 1}
# Of the standard library, what is no rule's business: machine, time that passes, chance, tasks.
IMPURE = {
    "asyncio", "concurrent", "ctypes", "getpass", "glob", "http", "io", "logging", "os", "pathlib",
    "multiprocessing", "platform", "random", "secrets", "select", "selectors", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
MAX_LINES = 400
# With a letter in brackets, so that this file does not hold what it looks for.
REGISTRY = re.compile("|".join(["py[p]i.org", "python[h]osted", "npm[j]s.org", "repo[1].maven",
                                "artifa[c]tory", "/simp[l]e/", '"reso[l]ved":']))  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.~}/-])/(?:home|Users|root|work|tmp/w)/[\w.]")


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the repository, those about to be added included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(ROOT / name for name in listed.splitlines() if (ROOT / name).is_file())


def sources(*tops: str) -> list[Path]:
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and (not tops or path.relative_to(ROOT).parts[0] in tops)
    ]


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of each file that is text."""
    for path in tracked():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def against_the_arrow(path: Path, top: str) -> list[str]:
    """The imports of a file in folder `top` that go up, sideways, or are relative."""
    found = []
    for line, module in imports(path):
        other = module.split(".")[0]
        up = other in RANKS and other != top and RANKS[other] >= RANKS[top]
        if up or other in ("", "tests", "scripts"):
            found.append(f"{path}:{line} imports {module}")
    return found


def test_imports_go_along_the_arrow_only() -> None:
    wrong = [w for path in sources(*RANKS) for w in against_the_arrow(path, _top(path))]
    assert wrong == []
    assert len(sources(*RANKS)) > 20


@pytest.mark.parametrize(
    ("top", "statement"),
    [
        ("domain", "import config.settings"),
        ("tables", "from connectors.streams import base"),
        ("connectors", "def f():\n    import agents"),
        ("config", "from . import names"),
        ("agents", "from tests import waiting"),
    ],
)
def test_an_import_against_the_arrow_is_seen(tmp_path: Path, top: str, statement: str) -> None:
    file = tmp_path / "f.py"
    file.write_text(statement)
    assert len(against_the_arrow(file, top)) == 1


def test_the_domain_is_pure() -> None:
    others = {"domain", "msgspec", "numpy", "phonenumbers", "tzdata"}
    allowed = (set(sys.stdlib_module_names) - IMPURE) | others
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("domain")
        for line, module in imports(path)
        if module.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_the_domain_neither_awaits_nor_looks_at_a_clock() -> None:
    clocks = {"now", "utcnow", "today"}
    wrong = []
    for path in sources("domain"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asynchronous = isinstance(node, ast.AsyncFunctionDef | ast.Await)
            clock = isinstance(node, ast.Attribute) and node.attr in clocks
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            opened = called and ast.unparse(node).startswith(("open(", "print(", "input("))
            if asynchronous or clock or opened:
                wrong.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)[:60]}")
    assert wrong == []


def test_no_file_of_code_is_long() -> None:
    counts = {path: path.read_text(encoding="utf-8").count("\n") + 1 for path in sources()}
    assert {str(path): n for path, n in counts.items() if n > MAX_LINES} == {}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{name}: {match.group()}"
        for name, text in texts()
        for pattern in (REGISTRY, MACHINE_PATH)
        if (match := pattern.search(text))
    ]
    assert found == []


def test_every_requirement_is_locked_with_hashes() -> None:
    for name in ("requirements.txt", "requirements-test.txt"):
        text = (ROOT / name).read_text()
        entries = re.findall(r"^[A-Za-z0-9].*", text, re.MULTILINE)
        assert entries
        assert [entry for entry in entries if not re.fullmatch(r"\S+==\S+ \\", entry)] == []
        assert text.count(" \\\n    --hash=sha256:") >= len(entries)


def test_what_is_asked_for_is_what_is_locked() -> None:
    for name in ("requirements", "requirements-test"):
        asked = re.findall(r"^[A-Za-z][\w.-]*", (ROOT / f"{name}.in").read_text(), re.MULTILINE)
        locked = re.findall(r"^[a-z][\w.-]*(?===)", (ROOT / f"{name}.txt").read_text(), re.M)
        assert asked
        assert {each.lower().replace("_", "-") for each in asked} <= set(locked)


def test_tests_wait_for_effects_and_never_for_time() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _sleeps(node)
    ]
    assert wrong == []


def _sleeps(call: ast.Call) -> bool:
    if not ast.unparse(call.func).endswith("sleep"):
        return False
    return not (call.args and ast.unparse(call.args[0]) == "0")


def test_errors_are_not_swallowed_and_nothing_is_left_open() -> None:
    left_open = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|# type: ignore$", re.M)
    wrong = []
    for path in sources(*RANKS, "scripts"):
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path.name}: {match.group()}" for match in left_open.finditer(text)]
        wrong += [f"{path.name}: bare except" for _ in re.finditer(r"^\s*except:", text, re.M)]
    assert wrong == []


@pytest.mark.parametrize("script", ["scripts/run", "scripts/test", "scripts/servers", ".ci/run"])
def test_a_script_can_be_run_and_stops_at_the_first_failure(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in path.read_text()


def test_ci_runs_what_a_person_runs() -> None:
    assert "./scripts/test" in (ROOT / ".ci" / "run").read_text()


def _top(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]
