"""One MariaDB server from Debian's package, for tests and trials."""

import shutil
import socket
import subprocess
from pathlib import Path

from scripts.house import packages
from scripts.house.processes import NotUp, Process, kept_ports, wait_for

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mariadb-server"
DATABASE = "sluice_test"
START_TIMEOUT_S = 60.0  # 2 s on a quiet machine
OPTIONS = [
    "--no-defaults",
    "--user=root",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    # Small, and still durable at every commit: tests kill it.
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-lock-wait-timeout=5",
    "--performance-schema=OFF",
    "--key-buffer-size=1M",
    "--max-connections=100",
]


class MySql:
    """A server whose data, log and port live in `folder`; each folder is a server of its own.

    Root signs in from this machine without a password. Every method returns when its effect is
    there.
    """

    def __init__(self, folder: Path = ROOT / ".servers" / "mysql") -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.process = Process(self.folder, f"--datadir={self.data}")
        self._port_file = self.folder / "ports"

    @property
    def url(self) -> str:
        """mysql://root@127.0.0.1:PORT/DATABASE, which exists; the server was started once."""
        return f"mysql://root@127.0.0.1:{self._port()}/{DATABASE}"

    def running(self) -> bool:
        """Whether its process runs."""
        return self.process.pid() is not None

    def start(self, *, fresh: bool = False) -> None:
        """Starts it unless it runs; with `fresh`, without the data of the last time.

        Raises NotUp, or NotInstalled when the package can't be had.
        """
        if self.running():
            return
        server = _command("mariadbd")
        if fresh:
            shutil.rmtree(self.data, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        (port,) = kept_ports(self._port_file, 1)
        if not (self.data / "mysql").exists():
            self._make_data()
        # A folder deep in the tree makes too long a path for a socket: it lies in the data folder,
        # and is named relative to that.
        own = [f"--datadir={self.data}", f"--port={port}", "--socket=s", "--pid-file=mariadbd.pid"]
        self.process.start([server, *OPTIONS, *own])
        wait_for(lambda: self._answers(port) or not self.running(), START_TIMEOUT_S)
        if not self._answers(port):
            self.process.end(hard=True)
            raise NotUp(f"the server did not come up, see {self.process.log}")
        self._run(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")

    def stop(self, *, hard: bool = False) -> None:
        """Ends it if it runs: in good order, or with `hard` as a crash would."""
        self.process.end(hard=hard)

    def restart(self, *, hard: bool = False) -> None:
        """Stops and starts it on the same port with the same data."""
        self.stop(hard=hard)
        self.start()

    def _port(self) -> int:
        return int(self._port_file.read_text().strip("[]"))

    def _make_data(self) -> None:
        command = [
            _command("mariadb-install-db"),
            "--no-defaults",
            "--user=root",
            f"--datadir={self.data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            lines = (found.stdout + found.stderr).strip().splitlines()[-3:]
            raise NotUp("the server's folder could not be made: " + " ".join(lines))

    def _run(self, statement: str) -> None:
        client = _command("mariadb")
        port = str(self._port())
        command = [client, "--no-defaults", "-h", "127.0.0.1", "-P", port, "-u", "root"]
        found = subprocess.run([*command, "-e", statement], capture_output=True, text=True)
        if found.returncode:
            raise NotUp(f"the server refused {statement!r}: {found.stderr.strip()}")

    def _answers(self, port: int) -> bool:
        """Whether it greets: its port is open a little before it can be asked."""
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.settimeout(1)
                return len(probe.recv(5)) == 5
        except OSError:
            return False


def _command(name: str) -> str:
    return packages.ensure_command(name, PACKAGE)
