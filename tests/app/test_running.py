"""How a process ends: told to, broken, or fenced and begun afresh."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from app import running
from app.cli.output import Output
from config.settings import Settings
from domain.errors import Fenced, Invariant


class Node:
    """A node that ends as the test wants."""

    ending: BaseException | None = None
    made: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, settings: Settings, roles: Any, **given: Any) -> None:
        self.made.append(given)
        self.url, self.port = "http://127.0.0.1:4711", 4711

    def remarks(self) -> list[str]:
        return ["a remark"]

    async def run(self, started: Callable[[Any], None], _beside: Any) -> None:
        started(self)
        if self.ending is not None:
            raise self.ending


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> type[Node]:
    monkeypatch.setattr(running, "Node", Node)
    monkeypatch.setattr("app.logs.set_up", lambda _settings: None)
    monkeypatch.setattr(Node, "ending", None)
    monkeypatch.setattr(Node, "made", [])
    monkeypatch.delenv(running.PORT, raising=False)
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


def test_a_fenced_worker_begins_afresh_where_it_listened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "ending", Fenced("t", 1, "epoch 2"))
    executed: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: executed.append((path, words)))
    run()
    assert executed == [(sys.executable, sys.orig_argv)]
    assert os.environ[running.PORT] == "4711"
    run()
    assert Node.made[-1]["port"] == 4711
