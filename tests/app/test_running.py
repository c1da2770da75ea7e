"""How a process ends: told to, broken, or fenced and begun afresh."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app import last_stop, running
from app.cli.output import Output
from config.settings import Settings
from connectors.streams.base import StreamUnavailable
from domain.errors import Fenced, Invariant


class Node:
    """A node that ends as the test wants."""

    ending: BaseException | None = None
    started = True
    overdue = False
    made: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, settings: Settings, roles: Any, **given: Any) -> None:
        self.made.append(given)
        self.url, self.port = "http://127.0.0.1:4711", 4711

    def remarks(self) -> list[str]:
        return ["a remark"]

    async def run(self, started: Callable[[Any], None], _beside: Any) -> None:
        if self.ending is not None and not self.started:
            self.url = ""
            raise self.ending
        started(self)
        if self.ending is not None:
            raise self.ending


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Node]:
    monkeypatch.chdir(tmp_path)  # where the data directory would be
    monkeypatch.setattr(running, "Node", Node)
    monkeypatch.setattr("app.logs.set_up", lambda _settings: None)
    monkeypatch.setattr(Node, "ending", None)
    monkeypatch.setattr(Node, "started", True)
    monkeypatch.setattr(Node, "made", [])
    for name in (running.PORT, running.AGAIN):
        monkeypatch.delenv(name, raising=False)
    return Node


def run(json: bool = False) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = running.run_node(
        Settings(), ("console",), Output(json=json, stdout=out, stderr=err), ["unset X"]
    )
    return code, out.getvalue(), err.getvalue()


def test_it_says_where_the_console_is_and_what_is_remarkable() -> None:
    assert run() == (
        0, "console on http://127.0.0.1:4711\n", "note: unset X\nnote: a remark\n",
    )  # fmt: skip
    assert run(json=True)[1] == '{"url":"http://127.0.0.1:4711"}\n'


def test_a_failure_is_raised_for_the_command_line_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "ending", Invariant("rule", "detail"))
    with pytest.raises(Invariant):
        run()


def test_why_it_stopped_is_kept_until_it_works_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(Node, "ending", Invariant("rule", "detail", "do this"))
    with pytest.raises(Invariant):
        run()
    note = last_stop.read(data)
    assert note is not None
    assert (note.problem, note.remedy) == ("broken invariant (rule): detail", "do this")
    monkeypatch.setattr(Node, "ending", None)
    assert "note: it stopped at " in run()[2]
    assert last_stop.read(data) is None
    assert "it stopped" not in run()[2]


@pytest.fixture
def afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """For each time the process ran its command line again, how long it had waited."""
    waits: list[float] = []
    executed: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return True

    def execute(path: str, words: list[str]) -> None:
        assert (path, words) == (sys.executable, sys.orig_argv)
        executed.append(waits[-1])

    monkeypatch.setattr(running, "waited", wait)
    monkeypatch.setattr(os, "execv", execute)
    yield executed
    for name in (running.PORT, running.AGAIN):
        os.environ.pop(name, None)


LOST = StreamUnavailable("kafka://h:1", "gone")


@pytest.mark.parametrize("error", [Fenced("t", 1, "epoch 2"), LOST])
def test_who_lost_a_partition_or_the_stream_begins_afresh_where_it_listened(
    monkeypatch: pytest.MonkeyPatch, afresh: list[float], error: Exception
) -> None:
    monkeypatch.setattr(Node, "ending", error)
    _, _, err = run()
    assert str(error).splitlines()[0] in err
    assert "starts afresh\n" in err
    run()
    assert Node.made[-1]["port"] == 4711
    assert afresh == [0.0, 1.0]


def test_it_waits_longer_each_time_it_dies_young(
    monkeypatch: pytest.MonkeyPatch, afresh: list[float]
) -> None:
    monkeypatch.setattr(Node, "ending", LOST)
    run()
    monkeypatch.setattr(Node, "started", False)  # from now on the stream is not even reached
    for _ in range(6):
        run()
    assert afresh == [0.0, 1.0, 3.0, 7.0, 10.0, 10.0, 10.0]
    monkeypatch.setattr(running, "YOUNG_S", -1.0)
    run()
    assert afresh[-1] == 0.0


def test_a_stream_that_was_never_reached_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, afresh: list[float]
) -> None:
    monkeypatch.setattr(Node, "ending", LOST)
    monkeypatch.setattr(Node, "started", False)
    with pytest.raises(StreamUnavailable):
        run()
    assert afresh == []


def test_a_signal_ends_the_wait() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert not running.waited(30.0)
        assert running.waited(0.0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_did_not_stop_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(Node, "overdue", True)
    monkeypatch.setattr("os._exit", codes.append)
    assert run()[0] == 0  # the process that this stands for has ended before
    assert codes == [1]
