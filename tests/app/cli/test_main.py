"""What holds for every command: flags, exit codes, errors of a few lines, quiet endings."""

import io
import signal
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from app import VERSION
from app.cli import registry
from app.cli.command import Command
from app.cli.flags import split
from app.cli.main import main
from app.cli.output import Output, cell_text
from domain.errors import SluiceError
from tests.app.cli.running import NOBODY, ROOT, command, environment, sluice, sluice_process
from tests.app.cli.server import problem, serving
from tests.waiting import until


def test_help_lists_commands_settings_and_exit_codes() -> None:
    ran = sluice("--help")
    assert ran.code == 0
    for expected in ("dead-letters", "--data-dir", "--json", "3 not reachable"):
        assert expected in ran.out


def test_no_command_shows_the_help_and_is_used_wrong() -> None:
    ran = sluice()
    assert (ran.code, ran.out.splitlines()[0]) == (2, "usage: sluice [FLAGS] COMMAND …")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["consum"], "did you mean consume?"),
        (["--jsno", "totals"], "did you mean --json?"),
        (["config"], "missing: ACTION"),
        (["config", "apply"], "missing: FILE"),
        (["consume", "usage", "--count", "0"], "'0' is not a whole number from 1"),
        (["consume", "usage", "--from", "middle"], "expected beginning, end or an offset"),
        (["totals", "--data-dir"], "--data-dir needs a value"),
        (["sessions", "list", "a", "x"], "expected one like account=X"),
        (["dead-letters", "list", "--reason", "bad"], "none of undecodable"),
        (["config", "show", "a"], "expected one like aggregator/a"),
        (["topics", "describe", "nothing"], "is no topic of the product"),
    ],
)
def test_wrong_usage_is_2_with_what_would_be_right(arguments: list[str], expected: str) -> None:
    ran = sluice(*arguments)
    assert ran.code == 2
    assert expected in ran.err
    assert len(ran.err.splitlines()) <= 3
    assert ran.out == ""


def test_wrong_settings_are_told_all_at_once() -> None:
    ran = sluice("totals", "--partitions", "none", environ={"SLUICE_WEB_PORT": "-1"})
    assert ran.code == 2
    assert "partitions is 'none' (flag --partitions)" in ran.err
    assert "web_port is '-1' (environment SLUICE_WEB_PORT)" in ran.err


@pytest.mark.parametrize("arguments", [["--json", "totals"], ["totals", "--json"]])
def test_flags_for_everybody_stand_before_or_after_the_command(arguments: list[str]) -> None:
    with serving({"GET /api/totals": (200, {"items": []})}) as server:
        ran = sluice(*arguments, server=server.url)
    assert (ran.code, ran.json) == (0, {"items": []})


def test_a_flag_overrides_the_environment() -> None:
    with serving({"GET /api/totals": (200, {"items": []})}) as server:
        ran = sluice("totals", f"--server={server.url}", server=NOBODY)
    assert ran.code == 0


def test_a_settings_file_is_read(tmp_path: Path) -> None:
    with serving({"GET /api/totals": (200, {"items": []})}) as server:
        file = tmp_path / "settings.yaml"
        file.write_text(f"server: {server.url}\n")
        code = main(["totals", "--settings", str(file)], {})
    assert code == 0


def test_what_follows_two_dashes_is_no_flag() -> None:
    ran = sluice("produce", "usage", "--", "--json")
    assert (ran.code, ran.err) == (2, "error: --json: No such file or directory\n")


def test_an_unreachable_server_is_3_with_what_to_do() -> None:
    ran = sluice("totals")
    assert ran.code == 3
    assert ran.err.splitlines() == [
        f"error: {NOBODY} is not reachable: nothing listens there",
        "start one with `sluice up`, or name another with --server or SLUICE_SERVER",
    ]


def test_the_token_is_sent_as_bearer() -> None:
    with serving({"GET /api/totals": (200, {"items": []})}) as server:
        sluice("totals", server=server.url, environ={"SLUICE_TOKEN": "t0p"})
    assert server.heard[0].headers["Authorization"] == "Bearer t0p"


def test_a_refused_token_is_2_and_says_what_to_set() -> None:
    with serving({"GET /api/totals": problem(403, "That needs the role viewer.")}) as server:
        ran = sluice("totals", server=server.url)
    assert ran.code == 2
    assert "set SLUICE_TOKEN" in ran.err


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 1), (409, 1), (429, 3), (504, 3)])
def test_a_servers_error_becomes_the_exit_code(status: int, code: int) -> None:
    with serving({"GET /api/totals": problem(status, "No.")}) as server:
        ran = sluice("totals", server=server.url)
    assert (ran.code, ran.err) == (code, "error: No.\n")


def test_paths_of_a_problem_are_told_with_what_would_be_right() -> None:
    errors = [
        {"path": "limit", "value": "x", "expected": "a number"},
        {"path": "cursor"},
        {"path": "", "detail": "and this"},
    ]
    with serving({"GET /api/totals": problem(422, "No.", *errors)}) as server:
        ran = sluice("totals", server=server.url)
    assert ran.err.splitlines() == [
        "error: No.",
        "limit: 'x' is not accepted, expected a number",
        "and this",
    ]


def test_a_busy_server_is_3() -> None:
    with serving({"GET /api/totals": problem(503, "The stream does not answer.")}) as server:
        ran = sluice("totals", server=server.url)
    assert (ran.code, ran.err) == (3, "error: The stream does not answer.\n")


def test_another_servers_answer_is_told_from_ours() -> None:
    with serving({"GET /api/totals": (200, b"<html>")}) as server:
        ran = sluice("totals", server=server.url)
    assert ran.code == 1
    assert "is this a sluice server?" in ran.err


def test_an_unforeseen_error_has_a_traceback_only_with_debug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError("inside")

    broken = Command("totals", "", lambda _: None, fail)
    monkeypatch.setattr(registry, "load", lambda _: broken)
    quiet, loud = sluice("totals"), sluice("totals", "--debug")
    assert (quiet.code, loud.code) == (1, 1)
    assert "ZeroDivisionError: inside" in quiet.err
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


def test_an_error_brings_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(SluiceError):
        exit_code = 3

    def fail(*_: object) -> int:
        raise Odd("what, where\nwhat would be right")

    monkeypatch.setattr(registry, "load", lambda _: Command("totals", "", lambda _: None, fail))
    ran = sluice("totals")
    assert (ran.code, ran.err) == (3, "error: what, where\nwhat would be right\n")


def test_a_command_without_its_module_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "later", "app.cli.not_written_yet")
    assert "later" not in registry.names()
    assert sluice("later").code == 2


def test_version_prints_one_line() -> None:
    ran = sluice_process("--version")
    assert ran.code == 0
    assert ran.out.startswith(f"sluice {VERSION}")
    assert len(ran.out.splitlines()) == 1


def test_a_reader_that_has_had_enough_ends_quietly() -> None:
    line = b'{"partition":0,"offset":0,"timestamp":1,"key":null,"value":1}'
    body = b'{"records":[%s],"next":"more"}' % b",".join([line] * 1000)
    with serving({"GET /api/topics/usage/records": (200, body)}) as server:
        process = subprocess.Popen(
            command("consume", "usage", "--follow"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment({"SLUICE_SERVER": server.url}),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"1\n"
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(30)
        process.stderr.close()
    assert (code, said) == (0, b"")


def test_ctrl_c_ends_quietly() -> None:
    with serving({"GET /api/topics/usage/records": (200, {"records": [], "next": "0"})}) as server:
        process = subprocess.Popen(
            command("consume", "usage", "--follow"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment({"SLUICE_SERVER": server.url}),
            # what a shell runs behind itself ignores it, and hands that on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until(lambda: len(server.heard) > 1, what="consume asks again and again")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_pipe_gets_no_colour_and_whole_values() -> None:
    long = "/" + "-".join(["long"] * 40)
    ran = sluice("doctor", "--data-dir", long)
    assert "\x1b" not in ran.out + ran.err
    assert long in ran.out


class _Terminal:
    """A stream that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("color", [True, False])
def test_a_terminal_gets_colour_unless_it_is_unwanted(
    color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    out = Output(color=color, stdout=terminal, stderr=terminal)  # type: ignore[arg-type]  # enough of one
    out.error("wrong [bold]\nand this to do")
    out.table(["name", "records"], [["[red]x", 1234]])
    assert ("\x1b[" in terminal.text) is color
    assert "wrong [bold]" in terminal.text
    assert "[red]x" in terminal.text
    assert "1,234" in terminal.text


def test_flags_and_environment_can_do_without_colour() -> None:
    assert split(["--no-color", "x"], {})[0].color is False
    assert split(["x"], {"NO_COLOR": "1"})[0].color is False
    assert split(["x"], {"NO_COLOR": ""})[0].color is True


def test_numbers_of_a_column_stand_right_also_with_nothing_between() -> None:
    out = io.StringIO()
    Output(stdout=out).table(["a", "n", "none"], [["b", 1, None], ["c", Decimal("10000.5"), None]])
    assert out.getvalue() == "a         n  none\nb         1\nc  10,000.5\n"


def test_cells_read_as_people_write() -> None:
    cells = (None, True, 1234567, "å b", "\x1b[31mred\n")
    assert [cell_text(cell) for cell in cells] == [
        "", "yes", "1,234,567", "å b", "\\x1b[31mred\\n",
    ]  # fmt: skip
