"""`sluice doctor`: finds what is wrong, says what to do, changes nothing."""

import shutil
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.cli.http import Response
from app.doctor import server as asked
from connectors.streams.base import TopicSpec
from tests.app.cli.running import NOBODY, Ran, sluice
from tests.app.cli.server import Route, page, problem, serving
from tests.app.cli.test_topics import held, with_topic

HEALTHY: dict[str, Route] = {
    "GET /health/live": (200, {"live": True}),
    "GET /health/ready": (200, {"ready": True, "reasons": []}),
    "GET /api/documents": page(),
    "GET /api/me": (200, {"name": "local", "role": "admin", "rights": [], "session": None}),
    "GET /api/overview": (200, {"now": "2025-11-03T04:30:00.000Z", "overdue": 0, "troubles": []}),
    "GET /api/dead-letters": page(),
    "GET /api/topics": page(),
}


def state(ran: Ran, name: str) -> str:
    """The worst state of the checks of that name."""
    states: list[str] = [check["state"] for check in ran.json["checks"] if check["name"] == name]
    return max(states, key=("ok", "warning", "wrong").index)


def check(ran: Ran, name: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        c for c in ran.json["checks"] if (c["name"], c["state"]) == (name, state)
    )
    return found


def test_a_fresh_machine_is_well_and_stays_untouched(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    given = {"SLUICE_DATA_DIR": str(folder), "SLUICE_SERVER": ""}
    ran = sluice("doctor", "--json", environ=given)
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert check(ran, "stream", "ok")["detail"] == "embedded, made at the first start"
    assert not folder.exists()


def test_settings_come_with_their_origin_and_secrets_masked(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("partitions: 7\n")
    given = {"SLUICE_TOKEN": "s3cret", "SLUICE_NEGATIVES": "mysql://u:hidden@h/db"}
    ran = sluice("doctor", "--settings", file, "--data-dir", tmp_path, environ=given)
    assert "s3cret" not in ran.out + ran.err
    assert "hidden" not in ran.out + ran.err
    rows = {line.split()[0]: line.split()[1:] for line in ran.out.splitlines() if line}
    assert rows["SLUICE_PARTITIONS"] == ["7", "file", str(file)]
    assert rows["SLUICE_TOKEN"] == ["***", "environment", "SLUICE_TOKEN"]
    assert rows["SLUICE_APP_ID"] == ["sluice", "default"]


def test_wrong_settings_are_found_wrong_each_with_what_would_be_right() -> None:
    ran = sluice("doctor", "--json", "--partitions", "0", "--web-port", "x")
    assert ran.code == 1
    assert [c["state"] for c in ran.json["checks"]] == ["wrong", "wrong"]
    assert ran.json["checks"][0]["todo"] == "set it to a whole number from 1 to 10000"


def test_a_mistyped_variable_is_a_warning(tmp_path: Path) -> None:
    given = {"SLUICE_PARTITION": "7", "SLUICE_DATA_DIR": str(tmp_path), "SLUICE_SERVER": ""}
    ran = sluice("doctor", "--json", environ=given)
    assert (ran.code, state(ran, "settings")) == (0, "warning")


def test_a_server_that_was_named_has_to_answer(tmp_path: Path) -> None:
    ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=NOBODY)
    assert (ran.code, state(ran, "server")) == (1, "wrong")
    assert "sluice up" in check(ran, "server", "wrong")["todo"]


def test_something_else_at_the_servers_address_is_wrong(tmp_path: Path) -> None:
    with serving() as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
    assert (ran.code, state(ran, "server")) == (1, "wrong")


def test_a_running_system_is_well(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    with serving(HEALTHY) as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
    assert ran.code == 0
    assert {c["state"] for c in ran.json["checks"]} == {"ok"}


def test_a_server_that_is_not_ready_tells_why(tmp_path: Path) -> None:
    not_ready: Route = (503, {"ready": False, "reasons": ["recovering 2 of 4 partitions"]})
    with serving({**HEALTHY, "GET /health/ready": not_ready}) as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
    assert ran.code == 0
    assert check(ran, "readiness", "warning")["detail"] == "recovering 2 of 4 partitions"


def test_a_server_that_refuses_us_is_wrong(tmp_path: Path) -> None:
    routes = {**HEALTHY, "GET /api/documents": problem(403, "That needs the role viewer.")}
    with serving(routes) as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
    assert ran.code == 1
    assert "SLUICE_TOKEN_FILE" in check(ran, "documents", "wrong")["todo"]


def test_inputs_of_documents_are_looked_at_too(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    with_topic(tmp_path, TopicSpec("calls", 2, log_append_time=False, max_message_bytes=1 << 21))
    documents = page(
        {"document": {"input": "calls"}}, {"document": {}}, {"document": {"input": "x"}}
    )
    with serving({**HEALTHY, "GET /api/documents": documents}) as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
    details = [c["detail"] for c in ran.json["checks"] if c["name"] == "topics"]
    assert details[0] == "missing: x"
    assert details[1].startswith("calls: message.timestamp.type is CreateTime")
    assert (ran.code, state(ran, "topics")) == (1, "wrong")


def test_partitions_that_do_not_fit_the_state_are_wrong(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    with serving(HEALTHY) as server:
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, "--partitions", "8",
                     server=server.url)  # fmt: skip
    assert (ran.code, state(ran, "topics")) == (1, "wrong")
    assert "SLUICE_PARTITIONS" in check(ran, "topics", "wrong")["todo"]


def test_a_data_directory_in_use_is_fine_when_its_server_answers(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    topics = page({"name": "usage", "partitions": 4})
    with held(tmp_path):
        with serving({**HEALTHY, "GET /api/topics": topics}) as server:
            served = sluice("doctor", "--json", "--data-dir", tmp_path, server=server.url)
        alone = sluice("doctor", "--json", "--data-dir", tmp_path, server=NOBODY)
    assert state(served, "stream") == "ok"
    assert state(alone, "stream") == "wrong"
    assert "is in use by a process" in check(alone, "stream", "wrong")["detail"]


def test_a_broker_that_does_not_answer_is_wrong(tmp_path: Path) -> None:
    ran = sluice("doctor", "--json", "--data-dir", tmp_path, "--stream", "kafka://127.0.0.1:9")
    assert (ran.code, state(ran, "stream")) == (1, "wrong")


def test_a_trial_clock_is_pointed_out_and_a_missing_one_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    missing = sluice("doctor", "--json", "--data-dir", tmp_path, "--clock", file)
    sluice("clock", "set", "2025-11-03T04:30:00Z", "--clock", file)
    there = sluice("doctor", "--json", "--data-dir", tmp_path, "--clock", file)
    assert state(missing, "clock") == "wrong"
    assert check(there, "clock", "warning")["detail"].endswith("2025-11-03T04:30:00.000Z")


class _Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(
    ("free", "expected"), [(10 << 30, "ok"), (1 << 29, "warning"), (1 << 20, "wrong")]
)
def test_a_disk_runs_low_before_it_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free))
    ran = sluice("doctor", "--json", "--data-dir", tmp_path)
    assert state(ran, "disk") == expected


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ran = sluice("doctor", "--json", "--data-dir", file)
    assert (ran.code, state(ran, "data directory")) == (1, "wrong")


def test_clocks_that_are_apart_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    near = Response(200, {"Date": formatdate(998, usegmt=True)}, b"")
    far = Response(200, {"Date": formatdate(940, usegmt=True)}, b"")
    assert list(asked.skew(near)) == []
    (found,) = asked.skew(far)
    assert (found.state, found.detail) == ("warning", "this machine and the server are 60 s apart")
    assert list(asked.skew(Response(200, {}, b""))) == []


@pytest.mark.mongo
@pytest.mark.mysql
def test_stores_that_answer_are_well(tmp_path: Path, mongo_url: str, mysql_url: str) -> None:
    given = {"SLUICE_DATA_DIR": str(tmp_path), "SLUICE_SERVER": ""}
    urls = {"SLUICE_DOCUMENTS": mongo_url, "SLUICE_NEGATIVES": mysql_url}
    ran = sluice("doctor", "--json", environ=given | urls)
    assert (state(ran, "documents store"), state(ran, "negatives store")) == ("ok", "ok")
    fresh = sluice("doctor", "--json", environ=given)
    assert check(fresh, "documents store", "ok")["detail"] == "SQLite in the data directory"
    assert not list(tmp_path.rglob("*.sqlite"))
