"""Packages of the machine, where the scripts may install them: on Debian, as root."""

import os
import shutil
import subprocess
import sys

# Debian's servers are there, and a person's search path often isn't.
ADMIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class NotInstalled(Exception):
    """A package of the machine is missing and could not be installed."""

    def __init__(self, names: tuple[str, ...], why: str) -> None:
        self.names = names
        self.why = why
        wanted = " ".join(names)
        super().__init__(f"{why}; install by hand: apt-get install {wanted}")


def install(*names: str) -> None:
    """Installs packages of Debian; raises NotInstalled where that can't be done."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        missing = " and ".join(names)
        raise NotInstalled(names, f"{missing} is missing, and this is not Debian as root")
    print(f"sluice: installing {' '.join(names)}", file=sys.stderr, flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *names]):
        command = ["apt-get", "--quiet=2", *arguments]
        found = subprocess.run(command, env=quiet, capture_output=True, text=True)
        # A failed update may leave lists that are good enough: only the installation decides.
        if found.returncode and "install" in arguments:
            lines = (found.stderr or found.stdout).strip().splitlines()[-1:]
            raise NotInstalled(names, f"apt-get failed: {' '.join(lines)}")


def ensure_command(command: str, *names: str) -> str:
    """The path of `command`, after installing the packages `names` when it is missing."""
    found = _which(command)
    if not found:
        install(*names)
        found = _which(command)
    if not found:
        raise NotInstalled(names, f"{command} is still missing")
    return found


def _which(command: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *ADMIN])
    return shutil.which(command, path=path)
