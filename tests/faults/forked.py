"""`sluice up` in processes of its own that are begun quickly, to be killed: a process that has
loaded everything and does nothing forks one at each line of its standard input.

A line is JSON: {"settings": {SLUICE_…: text}, "log": file}; the answer is the process id. A process
id alone waits for that process, which is dead or dying, and is answered with its status.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """Begins processes; ends with its test."""

    def __init__(self) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def begin(self, settings: dict[str, str], log: Path) -> int:
        """The process id of a new one."""
        return self._ask({"settings": settings, "log": str(log)})

    def buried(self, pid: int) -> int:
        """Waits for the end of one; its status, as `os.wait` has it."""
        return self._ask(pid)

    def _ask(self, line: object) -> int:
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._popen.stdin.write(json.dumps(line).encode() + b"\n")
        self._popen.stdin.flush()
        return int(self._popen.stdout.readline())

    def close(self) -> None:
        """No more are begun."""
        self._popen.communicate()


def become(settings: dict[str, str], log: str) -> int:
    """This process is `sluice up` from now on; returns its exit code."""
    import connectors.files.local
    from app.cli.main import main

    vars(connectors.files.local)["_MARK"] = uuid4().hex  # of a process: not that of its parent
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, file in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(target, file)
    os.environ.update(settings)
    return main(["up", "--no-examples"])


def serve() -> None:
    """See the module."""
    import app.running
    import app.web.api
    import app.worker
    import connectors.sources.registry

    del app
    for place in connectors.sources.registry.CONNECTORS:
        connectors.sources.registry.connector_class(place)
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            print(os.waitpid(asked, 0)[1], flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = become(asked["settings"], asked["log"])
            finally:
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
