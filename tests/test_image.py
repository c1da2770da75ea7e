"""The Dockerfile: what it copies is there, it ends as nobody special, its commands are ours."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import yaml

from app.cli import registry
from config.settings import SETTINGS, resolve

ROOT = Path(__file__).resolve().parents[1]


class Step(NamedTuple):
    """An instruction of the file; `stage` counts from 0."""

    stage: int
    word: str
    rest: str


def steps() -> list[Step]:
    """The instructions in order, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    found: list[Step] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(" ")
        stage += word == "FROM"
        found.append(Step(stage, word, rest))
    return found


STEPS = steps()
LAST = [step for step in STEPS if step.stage == STEPS[-1].stage]


def only(word: str) -> str:
    (found,) = [step.rest for step in LAST if step.word == word]
    return found


def test_both_stages_begin_with_the_same_pinned_python() -> None:
    bases = {step.rest.partition(" ")[0] for step in STEPS if step.word == "FROM"}
    (base,) = bases
    assert re.fullmatch(r"python:3\.1[1-3]-slim-\w+", base)
    assert STEPS[-1].stage == 1


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for step in STEPS:
        if step.word == "COPY" and not step.rest.startswith("--from"):
            source = step.rest.split()[0]
            assert (ROOT / source).exists()
            assert source not in ignored
    (copied,) = [step.rest for step in LAST if step.word == "COPY"]
    assert copied == "--from=build /sluice /sluice"


def test_packages_are_installed_with_hashes_by_the_set_up_of_every_machine() -> None:
    (run,) = [step.rest for step in STEPS if step.word == "RUN" and step.stage == 0]
    assert "scripts.house.environment --console" in run
    assert "--require-hashes" in (ROOT / "scripts" / "house" / "environment.py").read_text()
    assert "pip install" not in (ROOT / "Dockerfile").read_text()


def test_every_package_of_the_product_is_copied() -> None:
    copied = {step.rest.split()[0] for step in STEPS if step.word == "COPY" and step.stage == 0}
    tops = set(re.findall(r"^    (\w+)\*$", (ROOT / "setup.cfg").read_text(), re.M))
    assert tops | {"scripts", "requirements.txt"} == copied


def test_it_ends_as_a_user_by_number_who_owns_the_data() -> None:
    user = only("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [step.word for step in LAST].index("USER") < [step.word for step in LAST].index("CMD")
    (run,) = [step.rest for step in LAST if step.word == "RUN"]
    number, group = user.split(":")
    assert f"--owner {number} --group {group} /data" in run
    assert only("VOLUME") == "/data"


def test_its_environment_is_of_settings_that_there_are() -> None:
    given = dict(pair.split("=", 1) for pair in only("ENV").split())
    ours = {name: value for name, value in given.items() if name.startswith("SLUICE_")}
    assert ours.keys() <= {setting.env for setting in SETTINGS.values()}
    found = resolve({}, ours)
    assert (str(found.settings.data_dir), found.warnings) == ("/data", ())
    assert only("EXPOSE") == str(found.settings.web_port)


def test_it_starts_the_command_line_and_checks_its_health_as_compose_does() -> None:
    assert json.loads(only("ENTRYPOINT"))[1:] == ["-P", "-m", "app.cli"]
    assert (ROOT / "app" / "cli" / "__main__.py").is_file()
    (command,) = json.loads(only("CMD"))
    assert command in registry.names()
    health = json.loads(only("HEALTHCHECK").partition("CMD")[2])
    assert (ROOT / health[1].removeprefix("/sluice/")).is_file()
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["x-sluice"]["healthcheck"]["test"] == ["CMD", *health]
