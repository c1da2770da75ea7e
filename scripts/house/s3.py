"""One S3 server over a folder, built from scripts/s3 with Go, for tests and trials."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from scripts.house.processes import NotUp, Process, kept_ports, wait_for
from scripts.house.wheels import ensure_wheels

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "scripts" / "s3"
LOCK = SOURCE / "requirements.txt"
PROGRAMS = ROOT / ".servers" / "s3-programs"
PACKAGES = ROOT / ".servers" / "go-packages"
START_TIMEOUT_S = 30.0  # under a second on a quiet machine
# They sign what is asked of a server that listens on this machine only.
ACCESS_KEY, SECRET_KEY = "sluice-test", "sluice-test-secret"
BUCKET = "sluice-test"


class S3:
    """A server whose buckets, log and port live in `folder`; each folder is a server of its own.

    Every method returns when its effect is there.
    """

    def __init__(self, folder: Path = ROOT / ".servers" / "s3") -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.process = Process(self.folder, f" {self.data}".replace(" ", "\0"))
        self._port_file = self.folder / "ports"

    @property
    def url(self) -> str:
        """http://KEY:SECRET@127.0.0.1:PORT/BUCKET; the server must have been started once."""
        return f"http://{ACCESS_KEY}:{SECRET_KEY}@127.0.0.1:{self._port()}/{BUCKET}"

    def running(self) -> bool:
        """Whether its process runs."""
        return self.process.pid() is not None

    def start(self, *, fresh: bool = False) -> None:
        """Starts it unless it runs; with `fresh`, without the data of the last time.

        Raises NotUp. The first time it is built, which takes a minute or two.
        """
        if self.running():
            return
        program = ensure_program()
        if fresh:
            shutil.rmtree(self.data, ignore_errors=True)
        (self.data / BUCKET).mkdir(parents=True, exist_ok=True)
        (port,) = kept_ports(self._port_file, 1)
        keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
        assigned = [f"{name}={value}" for name, value in keys.items()]
        command = ["env", *assigned, str(program), f"127.0.0.1:{port}", str(self.data)]
        self.process.start(command)
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
        (port,) = json.loads(self._port_file.read_text())
        return int(port)

    def _answers(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return self.running() and probe.connect_ex(("127.0.0.1", port)) == 0


def ensure_program() -> Path:
    """The server, built anew when its sources or its locked modules changed."""
    files = [*sorted(SOURCE.glob("*.go")), SOURCE / "go.mod", SOURCE / "go.sum"]
    name = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    program = PROGRAMS / f"sluice-s3-{name}"
    if program.exists():
        return program
    go = _go()
    print("sluice: building the S3 server", file=sys.stderr, flush=True)
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    work = program.with_name(f"{program.name}.{os.getpid()}")
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(work), "."]
    environ = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    if not os.access(Path.home(), os.W_OK):
        environ["GOPATH"] = str(PROGRAMS / "go")
        environ["GOCACHE"] = str(PROGRAMS / "cache")
    found = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, env=environ)
    if found.returncode:
        lines = (found.stderr + found.stdout).strip().splitlines()[-3:]
        raise NotUp("Go could not build the S3 server: " + " ".join(lines))
    work.rename(program)
    return program


def _go() -> str:
    """A Go that is new enough for go.mod: the machine's, else one from a wheel."""
    wanted = re.search(r"^go (\d+)\.(\d+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    there = shutil.which("go")
    if there and wanted:
        said = subprocess.run([there, "env", "GOVERSION"], capture_output=True, text=True).stdout
        has = re.match(r"go(\d+)\.(\d+)", said)
        if has and tuple(map(int, has.groups())) >= tuple(map(int, wanted.groups())):
            return there
    # Go itself: what pip puts beside it starts only where Python knows this folder
    program = ensure_wheels(LOCK, PACKAGES, "Go") / "go" / "bin" / "go"
    if not program.is_file():
        raise NotUp(f"{LOCK} was installed, and there is no {program}")
    return str(program)
