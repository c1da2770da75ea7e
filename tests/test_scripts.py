"""The scripts: what they make, when they make it again, and whose processes they end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.house import checks, environment, packages, s3, servers, wheels
from scripts.house.kafka import Kafka
from scripts.house.processes import NotUp, Process, free_ports, kept_ports
from tests.waiting import until

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()", "our-mark"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """An environment whose commands are only noted; gives what was run since the last call."""
    venv, commands = tmp_path / ".venv", list[str]()
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "STAMP": venv / "sluice.json",
    }.items():
        monkeypatch.setattr(environment, name, value)
    for name in (environment.RUN, environment.TEST):
        (tmp_path / name).write_text("a==1\n")

    def noted(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append("venv" if "venv" in command else Path(command[-1]).name)
        if "venv" in command:
            (venv / "bin").mkdir(parents=True, exist_ok=True)
            (venv / "bin" / "python").symlink_to(sys.executable)
            (venv / "pyvenv.cfg").write_text("version = 3.11.9\n")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("scripts.house.environment.subprocess.run", noted)

    def since() -> list[str]:
        found = commands[:]
        commands.clear()
        return found

    return since


def test_a_missing_environment_is_made_once(installed: Callable[[], list[str]]) -> None:
    environment.ensure_venv(test=False)
    assert installed() == ["venv", "requirements.txt"]
    environment.ensure_venv(test=False)
    assert installed() == []
    environment.ensure_venv(test=True)
    assert installed() == ["requirements-test.txt"]


def test_a_changed_lock_is_installed_into_the_environment_in_use(
    installed: Callable[[], list[str]], tmp_path: Path
) -> None:
    environment.ensure_venv(test=True)
    installed()
    (tmp_path / environment.RUN).write_text("a==2\n")
    environment.ensure_venv(test=True)
    assert installed() == ["requirements.txt"]


@pytest.mark.parametrize("damage", ["bin/python", "sluice.json", "pyvenv.cfg"])
def test_a_damaged_environment_is_made_again(
    installed: Callable[[], list[str]], tmp_path: Path, damage: str
) -> None:
    environment.ensure_venv(test=False)
    installed()
    (tmp_path / ".venv" / damage).unlink()
    (tmp_path / ".venv" / "bin" / "python").unlink(missing_ok=True)
    environment.ensure_venv(test=False)
    assert installed() == ["venv", "requirements.txt"]


def test_options_follow_the_paths_and_faults_may_stand_anywhere() -> None:
    assert checks.split(["tests/config", "--faults", "-k", "a b"]) == (
        True,
        ["tests/config"],
        ["-k", "a b"],
    )
    assert checks.split([]) == (False, [], [])


def test_a_path_of_the_product_stands_for_the_tests_that_mirror_it() -> None:
    assert checks.tests_of("config/clock.py") == ["tests/config/test_clock.py"]
    assert checks.tests_of("domain") == ["tests/domain"]
    assert checks.tests_of("tests/test_house.py::test_x") == ["tests/test_house.py::test_x"]
    assert checks.tests_of("docs") == []


def test_a_red_step_makes_the_summary_red_and_pytest_speaks_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    last = checks.Outcome("tests", True, 1.0, ["skipped: [2] no kafka"], "=== 3 passed ===")
    assert checks.summary([checks.Outcome("lint", True, 1.0), last], ["kafka: no Java"], "1")
    assert not checks.summary([checks.Outcome("lint", False, 1.0), last], [], "1")
    shown = capsys.readouterr().out
    assert "skipped: [2] no kafka" in shown
    assert shown.splitlines()[-1] == "=== 3 passed ==="


def test_a_missing_server_is_red_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    assert not checks.summary([checks.Outcome("tests", True, 1.0)], ["kafka: no Java"], "1")


def test_a_given_server_is_used_and_none_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_TEST_KAFKA", "kafka://elsewhere:1")
    monkeypatch.setattr(sys, "argv", ["servers", "env", "kafka"])
    assert not servers.start("kafka")
    assert servers.main() == 0
    assert capsys.readouterr().out == "SLUICE_TEST_KAFKA=kafka://elsewhere:1\n"


def test_a_process_is_known_again_and_ended_by_another_script(tmp_path: Path) -> None:
    first, second = Process(tmp_path, "our-mark"), Process(tmp_path, "our-mark")
    first.start(SLEEPER)
    until(lambda: second.pid() == first.pid())
    second.end()
    # a process that ends has no command line any more just before its parent can hear of it
    until(lambda: first.pid() is None)


def test_a_process_that_got_our_old_id_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEPER[:-1])
    try:
        (tmp_path / "pid").write_text(str(stranger.pid))
        ours = Process(tmp_path, "our-mark")
        assert ours.pid() is None
        ours.end(hard=True)
        assert stranger.poll() is None
    finally:
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()


def test_ports_are_kept_until_somebody_takes_one(tmp_path: Path) -> None:
    ports = kept_ports(tmp_path / "ports", 2)
    assert (
        kept_ports(tmp_path / "ports", 2) == ports == json.loads((tmp_path / "ports").read_text())
    )
    listening = subprocess.Popen(
        [sys.executable, "-c", f"import socket; s = socket.create_server(('127.0.0.1', {ports[0]}))"
         "; print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with listening:
        assert listening.stdout and listening.stdout.readline() == b"1\n"
        assert ports[0] not in kept_ports(tmp_path / "ports", 2)
        listening.communicate(b"\n")


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_killed_broker_comes_back_on_its_port(own_kafka: Kafka) -> None:
    url, pid = own_kafka.url, own_kafka.process.pid()
    own_kafka.restart(hard=True)
    assert own_kafka.url == url
    assert own_kafka.process.pid() not in (None, pid)
    os.kill(own_kafka.process.pid() or 0, 0)


def test_servers_are_found_where_debian_has_them_and_a_search_path_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages, "install", lambda *names: asked.extend(names))
    monkeypatch.setattr(packages, "ADMIN", (str(tmp_path / "sbin"),))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(packages.NotInstalled, match="some-server is still missing"):
        packages.ensure_command("some-server", "a-package")
    assert asked == ["a-package"]
    program = tmp_path / "sbin" / "some-server"
    program.parent.mkdir()
    program.touch(mode=0o755)
    assert packages.ensure_command("some-server", "a-package") == str(program)
    assert asked == ["a-package"]


def test_the_go_of_a_wheel_is_the_program_and_not_what_starts_it_by_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(s3, "ensure_wheels", lambda *_: tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "go").touch(mode=0o755)
    with pytest.raises(NotUp, match="there is no"):
        s3._go()
    program = tmp_path / "go" / "bin" / "go"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    assert s3._go() == str(program)


def test_packages_that_two_fetch_at_once_are_there_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    sooner: list[Path] = []

    def fetch(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if "--target" in command:
            work = Path(command[command.index("--target") + 1])
            (work / "bin").mkdir(parents=True)
            if not sooner:  # while this one fetches, another one begins and is done
                sooner.append(work)
                sooner.append(wheels.ensure_wheels(lock, tmp_path / "wheels", "it"))
                (work / "late").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fetch)
    monkeypatch.setattr(os, "getpid", lambda: len(sooner))
    found = wheels.ensure_wheels(lock, tmp_path / "wheels", "it")
    assert found == sooner[1]
    assert list((tmp_path / "wheels").iterdir()) == [found]
    assert list(found.iterdir()) == [found / "bin"]
