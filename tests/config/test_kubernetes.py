"""config/kubernetes: fits Kubernetes's own schemas, and says what settings, commands and routes
know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.cli import registry
from app.cli.worker import ROLES, roles_of
from app.doctor.console import secrets
from app.doctor.machine import needed_bytes
from app.node import STOP_S
from app.web.api import ROUTES
from config.settings import SETTINGS, resolve

HERE = Path(__file__).parents[2] / "config" / "kubernetes"
VERSIONS = ("1.29.0", "1.34.1")  # the oldest that clouds still run, and one of now
NAMES = {setting.env for setting in SETTINGS.values()}
UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}


def objects(kind: str = "") -> list[dict[str, Any]]:
    """What the files hold, in the order of kustomization.yaml."""
    listed = yaml.safe_load((HERE / "kustomization.yaml").read_text())["resources"]
    found = [one for name in listed for one in yaml.safe_load_all((HERE / name).read_text())]
    return [one for one in found if kind in ("", one["kind"])]


SETS = {one["metadata"]["name"]: one for one in objects("StatefulSet")}
SETTING = next(iter(objects("ConfigMap")))["data"]


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SETS[name]["spec"]["template"]
    return found


def worker(name: str) -> dict[str, Any]:
    (container,) = pod(name)["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def environment(name: str) -> Iterator[tuple[str, str]]:
    """The variables of a pod as its process gets them; what stands in files as that."""
    yield from SETTING.items()
    for one in worker(name)["env"]:
        field = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        given = {"metadata.name": f"{name}-0", "status.podIP": "10.1.2.3"}
        yield (
            one["name"],
            given[field] if field else one["value"].replace("$(SLUICE_WEB_HOST)", "10.1.2.3"),
        )


def bytes_of(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]


def test_every_file_is_part_of_the_whole() -> None:
    listed = yaml.safe_load((HERE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in HERE.glob("*.yaml") if path.name != "kustomization.yaml"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_the_schemas(version: str) -> None:
    for one in objects():
        kubernetes_validate.validate(one, version, strict=True)


def test_a_field_that_there_is_not_is_seen() -> None:
    spoiled = objects("StatefulSet")[0]
    spoiled["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoiled, VERSIONS[-1], strict=True)


def test_each_role_is_played_by_one_set() -> None:
    played: list[str] = []
    for name in SETS:
        command, flag, roles = worker(name)["args"]
        assert command in registry.names()
        assert flag == "--role"
        played += roles_of(roles)
    assert sorted(played) == sorted(ROLES)


@pytest.mark.parametrize("name", sorted(SETS))
def test_selectors_meet_the_pods_of_their_set_alone(name: str) -> None:
    labels = pod(name)["metadata"]["labels"]
    spec = SETS[name]["spec"]
    assert spec["selector"]["matchLabels"] == labels
    (spread,) = pod(name)["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    (budget,) = [b for b in objects("PodDisruptionBudget") if b["metadata"]["name"] == name]
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    (headless,) = [s for s in objects("Service") if s["metadata"]["name"] == spec["serviceName"]]
    assert headless["spec"]["clusterIP"] == "None"
    assert headless["spec"]["selector"] == labels
    assert [other for other in SETS if pod(other)["metadata"]["labels"] == labels] == [name]


def test_the_services_lead_to_ports_that_there_are() -> None:
    for service in objects("Service"):
        selected = [
            name
            for name in SETS
            if service["spec"]["selector"].items() <= pod(name)["metadata"]["labels"].items()
        ]
        assert len(selected) == 1
        ports = {port["name"] for port in worker(selected[0])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("name", sorted(SETS))
def test_probes_ask_routes_that_there_are(name: str) -> None:
    paths = {route.path for route in ROUTES}
    container = worker(name)
    (port,) = container["ports"]
    assert str(port["containerPort"]) == SETTING["SLUICE_WEB_PORT"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths
        assert asked["port"] == port["name"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    scraped = pod(name)["metadata"]["annotations"]
    assert scraped["prometheus.io/path"] in paths
    assert scraped["prometheus.io/port"] == str(port["containerPort"])


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_setting_exists_and_resolves(name: str, tmp_path: Path) -> None:
    given = dict(environment(name))
    secret = {}
    for variable, value in list(given.items()):
        if variable.endswith("_FILE"):
            assert value.startswith("/secrets/")
            file = tmp_path / value.removeprefix("/secrets/")
            store = {"documents": "mongodb://u:p@m/s", "negatives": "mysql://u:p@m/s"}
            file.write_text(store.get(file.name, "a-secret-for-tests") + "\n")
            secret[variable] = str(file)
    found = resolve({}, given | secret)
    assert found.warnings == ()
    assert {name.removesuffix("_FILE") for name in given} <= NAMES
    assert found.settings.instance == f"{name}-0"
    assert found.settings.web_host == "10.1.2.3"
    assert list(secrets(found.settings)) == []


def test_no_secret_stands_in_the_settings() -> None:
    hidden = {setting.env for setting in SETTINGS.values() if setting.secret}
    hidden |= {"SLUICE_DOCUMENTS", "SLUICE_NEGATIVES"}  # addresses with passwords
    assert hidden & SETTING.keys() == set()
    for name in SETS:
        assert hidden & {one["name"] for one in worker(name)["env"]} == set()


@pytest.mark.parametrize("name", sorted(SETS))
def test_memory_does_for_all_partitions_on_one_pod(name: str) -> None:
    found = resolve({}, {k: v for k, v in environment(name) if not k.endswith("_FILE")
                         and not k.startswith("SLUICE_KAFKA")}).settings  # fmt: skip
    limit = bytes_of(worker(name)["resources"]["limits"]["memory"])
    stateless = worker(name)["args"][-1] == "console"
    assert limit >= needed_bytes(found, 0 if stateless else found.partitions)


@pytest.mark.parametrize("name", sorted(SETS))
def test_pods_run_as_the_images_user_and_stop_in_time(name: str) -> None:
    spec = pod(name)["spec"]
    dockerfile = (HERE.parents[1] / "Dockerfile").read_text()
    user = spec["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{spec['securityContext']['runAsGroup']}\n" in dockerfile
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["terminationGracePeriodSeconds"] > STOP_S
    assert worker(name)["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {mount["mountPath"] for mount in worker(name)["volumeMounts"]}
    assert {SETTING["SLUICE_DATA_DIR"], "/tmp", "/secrets"} == mounted
