"""Settings, machine and console: what doctor finds before it has asked anybody else."""

import asyncio
import resource
import shutil
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.people.rows import User, encode, key_of
from config.clock import SystemClock
from connectors.streams.embedded.log import EmbeddedLog
from tests.app.cli.running import sluice
from tests.app.cli.server import Route, page, serving
from tests.app.doctor.kit import doctor, fault, found, wrong

NETWORK = {"SLUICE_WEB_HOST": "0.0.0.0"}
ME: dict[str, Any] = {"name": "local", "role": "admin", "rights": [], "session": None}
WELL: dict[str, Route] = {
    "GET /health/live": (200, {"live": True}),
    "GET /health/ready": (200, {"ready": True, "reasons": []}),
    "GET /api/documents": page(),
    "GET /api/me": (200, ME),
    "GET /api/overview": (200, {"now": "2025-11-03T04:30:00.000Z", "overdue": 0, "troubles": []}),
    "GET /api/topics": page(),
    "GET /api/dead-letters": page(),
}


def test_a_machine_without_faults_is_well(tmp_path: Path) -> None:
    ran = doctor(tmp_path)
    assert (ran.code, wrong(ran)) == (0, set())


@fault("a setting that is none")
def test_a_wrong_setting(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_PARTITIONS": "many"})
    assert "set it to a whole number" in found(ran, "settings", "partitions is 'many'")["todo"]


@fault("a variable that is mistyped")
def test_a_mistyped_variable(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_PARTITION": "7"})
    found(ran, "settings", "SLUICE_PARTITIONS", state="warning")


@fault("trial clock without its file")
def test_a_clock_without_a_file(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_CLOCK": f"trial:{tmp_path / 'none'}"})
    assert "sluice clock set" in found(ran, "clock", str(tmp_path / "none"))["todo"]


@fault("limit of open files too low")
def test_few_open_files(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        ran = doctor(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "ulimit -n" in found(ran, "open files", "256")["todo"]


@fault("memory too small for the partitions")
def test_little_memory(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_STATE_MEMORY_BYTES": str(1 << 40)})
    assert "SLUICE_STATE_MEMORY_BYTES" in found(ran, "memory", "all 4 partitions")["todo"]


@fault("port taken by another program")
def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with serving() as other:
        port = other.url.rpartition(":")[2]
        ran = doctor(tmp_path, {"SLUICE_WEB_PORT": port})
        assert "SLUICE_WEB_PORT" in found(ran, "port", f"port {port}")["todo"]
    with serving(WELL) as ours:
        port = ours.url.rpartition(":")[2]
        assert "port" not in wrong(doctor(tmp_path, {"SLUICE_WEB_PORT": port}))


def test_a_port_whose_holder_says_nothing_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        assert "port" in wrong(doctor(tmp_path, {"SLUICE_WEB_PORT": port}))


def test_a_host_of_another_machine_is_wrong(tmp_path: Path) -> None:
    given = {"SLUICE_WEB_HOST": "192.0.2.1", "SLUICE_WEB_PORT": "6099"}
    given["SLUICE_CLUSTER_SECRET"] = "a secret of many characters"
    assert "SLUICE_WEB_HOST" in found(doctor(tmp_path, given), "port", "192.0.2.1")["todo"]


@fault("cluster secret too short")
def test_a_short_secret(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_CLUSTER_SECRET": "kurz und gut"})
    found(ran, "cluster secret", "12 characters")
    assert "kurz und gut" not in ran.out + ran.err


@fault("cluster secret missing")
def test_no_secret(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {**NETWORK, "SLUICE_STREAM": "kafka://127.0.0.1:9"})
    assert "on all workers" in found(ran, "cluster secret", "is missing")["todo"]


@fault("webhook secret that is no key")
def test_a_secret_that_is_no_key(tmp_path: Path) -> None:
    ran = doctor(tmp_path, {"SLUICE_WEBHOOK_SECRET": "whsec_?"})
    assert "whsec_ and base64" in found(ran, "webhook secret")["todo"]


@fault("console for the network without a user")
def test_a_console_without_users(tmp_path: Path) -> None:
    with serving(WELL) as server:
        ran = doctor(tmp_path, NETWORK, server=server.url)
        assert "sluice users add" in found(ran, "console", "0.0.0.0")["todo"]
        kept = doctor(tmp_path, {**NETWORK, "SLUICE_ADMIN_PASSWORD": "x"}, server=server.url)
        assert wrong(kept) == set()
    assert "console" in wrong(doctor(tmp_path, NETWORK))  # nobody can be there yet
    sluice("topics", "create", environ={"SLUICE_DATA_DIR": str(tmp_path)})
    assert "console" in wrong(doctor(tmp_path, NETWORK))
    with_user(tmp_path)
    assert wrong(doctor(tmp_path, NETWORK)) == set()


def with_user(folder: Path) -> None:
    """Puts a user where workers keep them."""
    user = User("u1", "ada", "admin", (), 0, "test")

    async def add() -> None:
        log = EmbeddedLog(folder / "log", SystemClock())
        await log.start()
        await log.append("sluice-people", 0, [(key_of(user), encode(user), None, ())])
        await log.stop()

    asyncio.run(add())


@fault("data directory that can't be written")
def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    ran = doctor(Path("/proc/sluice"))
    assert "SLUICE_DATA_DIR" in found(ran, "data directory", "/proc can't be written")["todo"]


class _Usage(NamedTuple):
    free: int


@fault("disk that is nearly full")
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a small disk of its own needs rights; test_full_disk.py of the fault campaigns has one
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(1 << 20))
    assert "make room" in found(doctor(tmp_path), "disk", "0.0 GiB free")["todo"]


@fault("no server where one was named")
def test_no_server(tmp_path: Path, free_port: int) -> None:
    ran = doctor(tmp_path, server=f"http://127.0.0.1:{free_port}")
    assert "sluice up" in found(ran, "server", "nothing listens there")["todo"]


@fault("no rights at the console")
def test_no_token(tmp_path: Path) -> None:
    refused: Route = (401, {"title": "Nobody has signed in", "status": 401, "detail": "No token."})
    with serving({**WELL, "GET /api/documents": refused}) as server:
        ran = doctor(tmp_path, server=server.url)
    assert "SLUICE_TOKEN_FILE" in found(ran, "documents")["todo"]


@fault("sessions that are overdue")
def test_overdue_sessions(tmp_path: Path) -> None:
    behind = {"now": "2025-11-03T04:30:00.000Z", "overdue": 12, "troubles": []}
    with serving({**WELL, "GET /api/overview": (200, behind)}) as server:
        ran = doctor(tmp_path, server=server.url)
    found(ran, "sessions", "12 sessions or more are due")


def test_nothing_is_written_where_there_was_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    doctor(folder)
    assert not list(tmp_path.iterdir())
