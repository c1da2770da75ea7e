"""A server process that outlives the script that started it, and is known again by the next."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class NotUp(Exception):
    """A server did not come up; the text says where it told why."""


class Process:
    """One process whose id is kept in `folder`. Its output goes to `folder/log`.

    It is ours when the id is of a process whose command line holds `mark`: ids are used again.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder = folder
        self.mark = mark.encode()
        self.log = folder / "log"
        self._pid_file = folder / "pid"
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """Its process id, None when it does not run."""
        if self._child is not None:
            # Our own child: this takes its exit status, too, and needs no command line, which
            # a process does not show in its very first moments.
            return self._child.pid if self._child.poll() is None else None
        try:
            number = int(self._pid_file.read_text())
            command = Path(f"/proc/{number}/cmdline").read_bytes()
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        return number if self.mark in command and state != "Z" else None

    def start(self, command: Sequence[str]) -> None:
        """Starts it in a session of its own, so that a Ctrl-C here does not end it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._pid_file.write_text(str(self._child.pid))

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; nothing happens when it does not run."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, number)

    def end(self, *, hard: bool = False, patience_s: float = 30.0) -> None:
        """Ends it and returns when it is gone: at once with `hard`, else by SIGTERM first."""
        if not hard:
            self.signal(signal.SIGTERM)
            wait_for(lambda: self.pid() is None, patience_s)
        self.signal(signal.SIGKILL)
        wait_for(lambda: self.pid() is None, patience_s)
        self._pid_file.unlink(missing_ok=True)

    def tail(self, lines: int = 5) -> str:
        """The end of its log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])


def wait_for(look: Callable[[], bool], timeout_s: float) -> bool:
    """Looks until it is so, and whether it was in time."""
    end_s = time.monotonic() + timeout_s
    while not look():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.05)
    return True


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now, all different.

    They are below those that systems give to outgoing connections, which could otherwise take
    the port of a server while it is down.
    """
    candidates = random.sample(range(20_000, 30_000), 1_000)
    ports = [port for port in candidates if _is_free(port)][:count]
    if len(ports) < count:
        raise NotUp("no free port between 20000 and 30000")
    return ports


def kept_ports(file: Path, count: int) -> list[int]:
    """The ports of the last time while they are free, else new ones; kept in `file`."""
    try:
        ports = [int(port) for port in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError):
        ports = []
    if len(ports) != count or not all(map(_is_free, ports)):
        ports = free_ports(count)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(ports))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers bind: a port whose last connections still linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
