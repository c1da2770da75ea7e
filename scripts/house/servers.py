"""The servers that tests and trials use: brought up, found again, ended.

A server that is given by its setting (SLUICE_TEST_KAFKA) is used instead and left alone.
"""

import argparse
import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from scripts.house.kafka import Kafka
from scripts.house.mongo import Mongo
from scripts.house.mysql import MySql
from scripts.house.packages import NotInstalled
from scripts.house.processes import NotUp
from scripts.house.s3 import S3

ROOT = Path(__file__).resolve().parents[2]


class Server(Protocol):
    """What every kind of server can do. Every method returns when its effect is there."""

    @property
    def url(self) -> str:
        """The full address; known once it was started."""

    def running(self) -> bool:
        """Whether it runs."""

    def start(self, *, fresh: bool = False) -> None:
        """Starts it unless it runs; raises NotUp or NotInstalled."""

    def stop(self, *, hard: bool = False) -> None:
        """Ends it if it is ours and runs."""

    def restart(self, *, hard: bool = False) -> None:
        """Ends and starts it, on the same port with the same data."""


SERVERS: Mapping[str, Callable[[], Server]] = {
    "kafka": Kafka,
    "mongo": Mongo,
    "mysql": MySql,
    "s3": S3,
}


def variable(name: str) -> str:
    """The setting that gives a server: SLUICE_TEST_KAFKA for kafka."""
    return f"SLUICE_TEST_{name.upper()}"


def given(name: str) -> str:
    """The address of a server that somebody else runs, empty when none is given."""
    return os.environ.get(variable(name), "")


def address(name: str) -> str:
    """The address of a server that is given or runs; empty otherwise."""
    if given(name):
        return given(name)
    server = SERVERS[name]()
    return server.url if server.running() else ""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Starting and stopping wait for each other across processes."""
    folder = ROOT / ".servers"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(name: str, *, fresh: bool = False) -> bool:
    """Brings a server up; whether it was this call that started it."""
    server = SERVERS[name]()
    if given(name) or server.running():
        return False
    with one_at_a_time():
        if server.running():
            return False
        server.start(fresh=fresh)
    return True


def stop(name: str, *, hard: bool = False) -> None:
    """Ends a server that `start` brought up."""
    with one_at_a_time():
        SERVERS[name]().stop(hard=hard)


def _act(action: str, name: str, hard: bool) -> None:
    if action == "start":
        start(name)
    elif action == "stop":
        stop(name, hard=hard)
    elif action == "restart":
        with one_at_a_time():
            SERVERS[name]().restart(hard=hard)
    elif action == "status":
        origin = "given" if given(name) else "running" if address(name) else "stopped"
        print(f"{name} {origin} {address(name)}".rstrip())
    elif address(name):
        print(f"{variable(name)}={address(name)}")


def main() -> int:
    """Exit 0 done, 3 when a server can't be had."""
    parser = argparse.ArgumentParser(prog="scripts/servers", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "restart", "status", "env"])
    parser.add_argument("server", nargs="*", help=f"of {', '.join(SERVERS)}; all without a name")
    parser.add_argument("--hard", action="store_true", help="stop as a crash would")
    arguments = parser.parse_args()
    for unknown in set(arguments.server) - set(SERVERS):
        parser.error(f"{unknown} is no server; there are {', '.join(SERVERS)}")
    missing = 0
    for name in arguments.server or SERVERS:
        try:
            _act(arguments.action, name, arguments.hard)
        except (NotUp, NotInstalled) as error:
            print(f"{name}: {error}", file=sys.stderr)
            missing += 1
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
