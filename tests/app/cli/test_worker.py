"""`sluice worker`: its roles, and the command lines of several processes."""

from pathlib import Path

import pytest

from app.cli.command import Context, Flags
from app.cli.output import Output
from app.cli.worker import COMMAND, child, instance, processes_of, roles_of
from app.worker import ROLES
from domain.errors import UsageError


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("route", ("route",)),
        ("console, route", ("route", "console")),
        ("impressions", ("impressions",)),
        ("all", ROLES),
        ("aggregate,all", ROLES),
    ],
)
def test_roles_are_read(text: str, roles: tuple[str, ...]) -> None:
    assert roles_of(text) == roles


@pytest.mark.parametrize(
    ("text", "said"),
    [("x", "'x' is no role"), ("", "'' is no role")],
)
def test_other_roles_are_refused_with_those_there_are(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        roles_of(text)
    assert ", ".join(ROLES) in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "257", "²"])
def test_a_number_of_processes_has_to_be_one(text: str) -> None:
    with pytest.raises(UsageError, match="whole number"):
        processes_of(text)


def test_each_process_has_a_folder_a_port_and_a_name_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("app_id: mine\n")
    given = {"data_dir": str(tmp_path / "d"), "web_port": "7000", "stream": "kafka://h:1"}
    flags = Flags(values=given, settings_file=file, json=True)
    words = [child(("route",), n, Context(flags, Output(), {})) for n in range(2)]
    assert words[1] == [
        "worker", "--role", "route",
        "--data-dir", str(tmp_path / "d" / "worker-1"), "--web-port", "7001",
        "--stream", "kafka://h:1", "--instance", instance(tmp_path / "d", 1),
        "--settings", str(file), "--json",
    ]  # fmt: skip
    assert words[0] != words[1]
    assert instance(tmp_path / "d", 0) not in (instance(tmp_path / "e", 0), words[1][10])


def test_processes_of_a_named_worker_are_numbered(tmp_path: Path) -> None:
    flags = Flags(values={"data_dir": str(tmp_path), "instance": "pod-7"})
    words = child(("route",), 2, Context(flags, Output(), {}))
    assert words[words.index("--instance") + 1] == "pod-7-2"


def test_a_free_port_is_a_free_port_for_each(tmp_path: Path) -> None:
    flags = Flags(values={"web_port": "0", "data_dir": str(tmp_path)})
    words = child(("route",), 3, Context(flags, Output(), {}))
    assert words[words.index("--web-port") + 1] == "0"


def test_several_processes_on_the_embedded_stream_are_refused(tmp_path: Path) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    arguments = parser.parse_args(["--role", "all", "--processes", "2"])
    with pytest.raises(UsageError, match="lives in one process"):
        COMMAND.run(arguments, Context(Flags(values={"data_dir": str(tmp_path)}), Output(), {}))
