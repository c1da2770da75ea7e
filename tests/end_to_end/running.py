"""A real `sluice` process, driven from outside: started, asked over HTTP, killed, started again."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
START_S = 90.0  # a machine that is busy with other tests
URL = re.compile(r"http://\S+")


class Answer(NamedTuple):
    """What came over HTTP."""

    status: int
    body: Any


def command(*words: str) -> list[str]:
    """The command line of `sluice` in this environment."""
    return [sys.executable, "-m", "app.cli", *words]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Our own without any of the product's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(more)


class Sluice:
    """`sluice up --no-examples` (or other words) on a folder; `start` as often as needed."""

    def __init__(
        self,
        folder: Path,
        words: Sequence[str] = ("up", "--no-examples"),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environ = dict(environ or {})
        self.words = list(words)
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def out(self) -> str:
        """What was written to standard output since the last start."""
        return (self.folder / "out.txt").read_text()

    @property
    def err(self) -> str:
        """What was written to standard error since the last start."""
        return (self.folder / "err.txt").read_text()

    def start(self, **environ: str) -> "Sluice":
        """Returns when it says where it is and is ready."""
        self.begin(**environ)
        return self.begun()

    def begun(self) -> "Sluice":
        """Returns when what was begun says where it is and is ready."""
        until(self._says_where, START_S, "it said where it is")
        until(self._is_ready, START_S, "it was ready")
        return self

    def _is_ready(self) -> bool:
        try:
            return self.get("/health/ready").status == 200
        except urllib.error.URLError:
            return False  # one that was fenced off by another's start begins afresh where it was

    def begin(self, **environ: str) -> None:
        """Starts the process and doesn't wait."""
        where = ["--data-dir", str(self.folder / "data"), "--web-port", "0"]
        with (
            (self.folder / "out.txt").open("wb") as out,
            (self.folder / "err.txt").open("wb") as err,
        ):
            self.process = subprocess.Popen(
                command(*self.words, *where),
                cwd=ROOT,
                env=environment(self.environ | environ),
                stdout=out,
                stderr=err,
            )

    def _says_where(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        if code is not None:
            raise RuntimeError(f"it ended with {code}: {self.err}")
        found = URL.search(self.out)
        self.url = found[0] if found and self.out.endswith("\n") else ""
        return bool(self.url)

    def ended(self, timeout_s: float = 20.0) -> int:
        """The exit code, once it ends."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Asks it to stop; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.ended()

    def close(self) -> None:
        """At the end of a test."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    # HTTP

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; `Content_Type` as keyword is the header Content-Type."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, _body(response.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _body(error.read()))

    def get(self, path: str) -> Answer:
        """GET."""
        return self.ask("GET", path)

    def apply(self, document: dict[str, Any]) -> Answer:
        """Puts a document in force."""
        path = f"/api/documents/{document['kind']}/{document['name']}?wait=20"
        return self.ask("PUT", path, json.dumps(document).encode(), Content_Type="application/json")

    def send(self, records: Sequence[Any], topic: str = "usage", **headers: str) -> Answer:
        """Appends records: bytes as they are, one alone; anything else as JSON Lines."""
        path = f"/api/topics/{topic}/records"
        if len(records) == 1 and isinstance(records[0], bytes):
            kind, body = "application/octet-stream", records[0]
        else:
            kind = "application/x-ndjson"
            body = b"\n".join(json.dumps(record).encode() for record in records)
        return self.ask("POST", path, body, Content_Type=kind, **headers)

    def totals(self, name: str = "acc") -> dict[str, int]:
        """The counts of an aggregator that are not 0; they balance."""
        answer = self.get(f"/api/aggregators/{name}/totals")
        assert answer.status == 200
        assert answer.body["balanced"]
        return {place: number for place, number in answer.body["count"].items() if number}

    def records(self, topic: str) -> list[Any]:
        """The values of all records on a topic."""
        found: list[Any] = []
        cursor = "beginning"
        while True:
            page = self.get(f"/api/topics/{topic}/records?from={cursor}&limit=1000").body
            if not page["records"]:
                return found
            found += [record["value"] for record in page["records"]]
            cursor = page["next"]


def _body(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


def aggregator(name: str = "acc", **changes: Any) -> dict[str, Any]:
    """An aggregator document by account: sum of bytes, count, an hour's timeout."""
    return {
        "kind": "aggregator",
        "name": name,
        "input": "usage",
        "group": {"fields": ["account"]},
        "aggregate": [
            {"field": "bytes", "operation": "sum"},
            {"field": "*", "operation": "count"},
        ],
        "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
        **changes,
    }
