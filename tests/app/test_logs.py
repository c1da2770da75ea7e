"""Log lines: text for people, JSON lines for machines, and other people's chatter left out."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from app import logs
from config.settings import Settings


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Gives the process its log handlers back."""
    found = logging.getLogger()
    handlers, level = found.handlers[:], found.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    found.handlers[:] = handlers
    found.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_json_where_nobody_watches() -> None:
    out = io.StringIO()
    logs.set_up(Settings(), out)
    try:
        raise ValueError("é")
    except ValueError:
        logging.getLogger("app.x").exception("it %s", "broke")
    line = json.loads(out.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("error", "app.x", "it broke")
    assert line["traceback"].endswith("ValueError: é")
    assert line["at"].endswith("Z")


def test_lines_are_text_on_a_terminal_and_where_it_is_asked_for() -> None:
    for out, chosen in ((Terminal(), ""), (io.StringIO(), "text")):
        logs.set_up(Settings(log_format=chosen), out)
        logging.getLogger("app.x").info("hello")
        assert out.getvalue().endswith("INFO    app.x: hello\n")


@pytest.mark.parametrize("chosen", ["text", "json"])
def test_no_text_from_outside_ends_a_line_or_moves_the_cursor(chosen: str) -> None:
    out = io.StringIO()
    logs.set_up(Settings(log_format=chosen), out)
    told = "x\r\n2026-01-01 ERROR app: made up\x1b[2J\x85\u2028\tend"
    logging.getLogger("app.x").info("asked for %s", told)
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


def test_a_terminal_can_have_json_too() -> None:
    out = Terminal()
    logs.set_up(Settings(log_format="json"), out)
    logging.getLogger("app.x").info("hello")
    assert json.loads(out.getvalue())["message"] == "hello"


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["own debug", "own info", "faust info", "faust warning"]),
        ("info", ["own info", "faust warning"]),
        ("error", []),
    ],
)
def test_the_least_level_is_kept_and_others_speak_up_for_warnings_only(
    level: str, shown: list[str]
) -> None:
    out = io.StringIO()
    logs.set_up(Settings(log_format="json", log_level=level), out)
    logging.getLogger("app.x").debug("own debug")
    logging.getLogger("app.x").info("own info")
    logging.getLogger("faust.app").info("faust info")
    logging.getLogger("faust.app").warning("faust warning")
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == shown
