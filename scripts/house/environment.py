"""Makes `.venv` and the console's packages when they are missing or stale.

Runs on any Python 3.11 or later with nothing installed. Safe to be run twice at a time: the
second waits for the first. An environment in use is added to, never cleared, unless its Python
is gone.
"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.house import packages

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "sluice.json"
RUN, TEST = "requirements.txt", "requirements-test.txt"


class SetupFailed(Exception):
    """The environment could not be made; the text says what to do."""


def say(text: str) -> None:
    """Progress for the person who waits."""
    print(f"sluice: {text}", file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds the lock of the set-up; it ends with the process at the latest."""
    with (ROOT / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*files: Path) -> str:
    """One digest of the contents of `files`."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes() + b"\0")
    return found.hexdigest()


def _python_of_venv() -> str:
    """The version of the environment's Python, empty when that Python is gone."""
    if not os.access(PYTHON, os.X_OK):
        return ""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition("=")[2].strip() for line in lines if "version" in line), "")


def _installed() -> dict[str, str]:
    """What the stamp says: digests of the lists installed, and the Python they are for."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(stamp, dict) or stamp.get("python") != _python_of_venv():
        return {}
    return {str(key): str(value) for key, value in stamp.items()}


def ensure_venv(*, test: bool) -> None:
    """Leaves an environment with the locked packages, and the test tools with `test`."""
    done = _installed()
    if not done:
        _make_venv()
        done = {"python": _python_of_venv()}
    for name in (RUN, TEST) if test else (RUN,):
        wanted = digest(ROOT / name)
        if done.get(name) == wanted:
            continue
        say(f"installing {name} into .venv")
        pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "install", "--require-hashes", "--requirement", str(ROOT / name)]
        if subprocess.run(command, stdout=sys.stderr).returncode:
            raise SetupFailed(f"pip could not install {name}; what it said stands above")
        done[name] = wanted
        STAMP.write_text(json.dumps(done))


def _make_venv() -> None:
    say(f"making .venv with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, stdout=sys.stderr, stderr=subprocess.DEVNULL).returncode == 0:
        return
    # Debian keeps the module that puts pip into an environment in a package of its own.
    packages.install("python3-venv")
    if subprocess.run(command, stdout=sys.stderr).returncode:
        raise SetupFailed("python -m venv failed; on Debian: apt-get install python3-venv")


def ensure_console() -> None:
    """Lets the console fetch its browser packages; it says itself what it can't have."""
    environ = {
        # The npm of the environment brings its own certificates; the machine's may be others.
        "NODE_USE_SYSTEM_CA": "1",
        "NPM_CONFIG_FETCH_RETRIES": "1",  # a network that isn't there is told soon
        **os.environ,
    }
    command = [str(PYTHON), "-P", "-m", "app.web.build"]
    if subprocess.run(command, cwd=ROOT, env=environ, stdout=sys.stderr).returncode:
        raise SetupFailed("the console's packages could not be put in place; see above")


def main() -> int:
    """Exit 0 when all is there, 3 when something could not be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="the test tools as well")
    parser.add_argument("--console", action="store_true", help="what its pages need as well")
    arguments = parser.parse_args()
    try:
        with one_at_a_time():
            ensure_venv(test=arguments.test)
            if arguments.console or arguments.test:
                ensure_console()
    except (SetupFailed, packages.NotInstalled) as error:
        say(str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
