"""Programs that come in wheels, each in a folder of its own: what the product has no use for."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.house import packages
from scripts.house.processes import NotUp


def ensure_wheels(lock: Path, folder: Path, what: str) -> Path:
    """The folder below `folder` with the packages of a lock file, fetched when it changed."""
    target = folder / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    if target.exists():
        return target
    print(f"sluice: fetching {what}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f"{target.name}.{os.getpid()}")
    command = [*_pip(folder), "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--target", str(work), "--requirement", str(lock)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        shutil.rmtree(work, ignore_errors=True)
        lines = (found.stderr + found.stdout).strip().splitlines()[-1:]
        raise NotUp(f"pip could not fetch {what}: " + " ".join(lines))
    try:
        work.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(work, ignore_errors=True)  # somebody else was sooner: the same is there
    return target


def _pip(folder: Path) -> list[str]:
    """This Python's pip; on a machine whose Python has none, that of an environment."""
    here = [sys.executable, "-m", "pip"]
    if subprocess.run([*here, "--version"], capture_output=True).returncode == 0:
        return here
    tools = folder / "tools"
    command = [sys.executable, "-m", "venv", "--clear", str(tools)]
    if subprocess.run(command, capture_output=True).returncode:
        # Debian keeps the module that puts pip into an environment in a package of its own.
        packages.install("python3-venv")
        if subprocess.run(command, capture_output=True).returncode:
            raise NotUp("python -m venv failed; on Debian: apt-get install python3-venv")
    return [str(tools / "bin" / "python"), "-m", "pip"]
