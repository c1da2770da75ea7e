"""People who keep a live page open: each reads its stream, loads the page now and then, and goes to
the next worker when its own is gone, as behind a load balancer.
"""

import http.client
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 20.0  # without a word a browser would think the same
GET_EVERY = 8  # events between two loads of the whole page


@dataclass
class Seen:
    """What a viewer has had. `streams` are (worker, events) of each connection, in order."""

    streams: list[list[Any]] = field(default_factory=list)
    pieces: dict[str, str] = field(default_factory=dict)
    failed: int = 0  # figures that could not be had for a moment; the page stays
    loaded: int = 0
    bad: list[str] = field(default_factory=list)  # pages that were not answered as they should be


class Viewer(threading.Thread):
    """Looks at `path` until it is told to stop. `workers`: addresses, its own first."""

    def __init__(self, path: str, workers: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.path, self.workers = path, list(workers)
        self.seen = Seen()
        self._ended = threading.Event()

    def stop(self) -> None:
        """Closes the page."""
        self._ended.set()

    def run(self) -> None:
        """Connects, and connects again."""
        at = 0
        while not self._ended.is_set():
            worker = self.workers[at % len(self.workers)]
            try:
                self._look(worker)
            except (OSError, http.client.HTTPException):
                at += 1
                self._ended.wait(0.2)

    def _look(self, worker: str) -> None:
        """One stream, to its end."""
        line = _connect(worker)
        try:
            line.request("GET", self.path, headers={"Accept": "text/event-stream"})
            answer = line.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(f"{answer.status}")
            count: list[Any] = [worker, 0]
            self.seen.streams.append(count)
            name = ""
            while not self._ended.is_set():
                text = answer.readline()
                if not text:
                    raise ConnectionResetError
                if text.startswith(b"event: "):
                    name = text[7:].decode().strip()
                elif text.startswith(b"data: "):
                    self._take(name, json.loads(text[6:]))
                    count[1] += 1
                    if count[1] % GET_EVERY == 1:
                        self._load(worker)
        finally:
            line.close()

    def _take(self, name: str, data: Any) -> None:
        if name == "failed":
            self.seen.failed += 1
        elif name == "piece":
            self.seen.pieces[data["id"]] = data["html"]

    def _load(self, worker: str) -> None:
        """The page as a whole; one of a worker that is gone is loaded from the next."""
        line = _connect(worker)
        try:
            line.request("GET", self.path, headers={"Accept": "text/html"})
            answer = line.getresponse()
            text = answer.read().decode()
        finally:
            line.close()
        self.seen.loaded += 1
        if answer.status != 200 or "</html>" not in text:
            self.seen.bad.append(f"{worker}{self.path}: {answer.status} {text[:300]}")


def _connect(worker: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(worker).netloc, timeout=PATIENCE_S)


def all_have(viewers: Sequence[Viewer], test: Callable[[Viewer], bool]) -> bool:
    """Whether it is so of each of them."""
    return all(test(viewer) for viewer in viewers)
