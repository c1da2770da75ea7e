"""`sluice config`: documents applied all or none, waited for, shown, compared, tried."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.cli import config_changes
from app.cli.yaml_text import yaml_text
from config.documents.reading import parse_documents
from tests.app.cli.running import NOBODY, sluice
from tests.app.cli.server import Answer, Heard, Server, page, problem, serving

DOCUMENT = """\
kind: aggregator
name: {name}
group: {{fields: [account]}}
aggregate:
  - {{field: bytes, operation: {operation}}}
flush:
  by: timeout
  timeout: {{duration: {{hours: 1}}}}
  conditions: {{field: {operation}_bytes, op: ">=", value: 1.10}}
"""
STATUS = "/api/documents/aggregator/one/status"


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_changes, "LOOK_S", 0.0)


def written(folder: Path, name: str = "one", operation: str = "sum") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(DOCUMENT.format(name=name, operation=operation))
    return file


def version(number: int, document: Mapping[str, Any] | None, **more: object) -> dict[str, object]:
    return {
        "kind": "aggregator",
        "name": "one",
        "version": number,
        "document": document,
        "at": "2025-11-03T04:30:00.000Z",
        "actor": "ann",
        "reason": "because",
        "example": False,
        **more,
    }


class Store:
    """Documents on a server: each takes `looks` looks at its status until it is in force."""

    def __init__(self, server: Server, looks: int = 0) -> None:
        self.looks = looks
        for name in ("one", "two"):
            path = f"/api/documents/aggregator/{name}"
            server.routes[f"PUT {path}"] = self.put
            server.routes[f"DELETE {path}"] = self.put
            server.routes[f"GET {path}/status"] = self.status
        server.routes["POST /api/documents/validate"] = (200, {"valid": True, "errors": []})

    def put(self, heard: Heard) -> Answer:
        kind, name = heard.path.split("/")[3:]
        return 202, {"kind": kind, "name": name, "version": 3, "in_force": False}

    def status(self, heard: Heard) -> Answer:
        self.looks -= 1
        there = self.looks < 0
        workers = [{"worker": "w1", "version": 3}, {"worker": "w2", "version": 3 if there else 2}]
        return 200, {"version": 3, "in_force": there, "workers": workers}


def test_apply_puts_the_bare_document_and_waits_until_it_is_in_force(tmp_path: Path) -> None:
    file = written(tmp_path)
    with serving() as server:
        Store(server, looks=2)
        ran = sluice("config", "apply", file, "--reason", "new tariff", server=server.url)
    assert (ran.code, ran.out) == (0, "aggregator/one version 3 in force\n")
    (put,) = server.requests("PUT", "/api/documents/aggregator/one")
    assert b'"value":1.10' in put.body
    assert put.json()["name"] == "one"
    assert put.query["reason"] == "new tariff"
    assert put.headers["Idempotency-Key"]
    assert put.headers["Content-Type"] == "application/json"
    assert len(server.requests("GET", STATUS)) == 3


def test_apply_for_machines_is_a_line_a_document(tmp_path: Path) -> None:
    files = [written(tmp_path, "one"), written(tmp_path, "two")]
    with serving() as server:
        Store(server)
        ran = sluice("config", "apply", *files, "--json", server=server.url)
    assert ran.lines == [
        {"kind": "aggregator", "name": name, "version": 3, "in_force": True}
        for name in ("one", "two")
    ]


def test_no_wait_asks_for_no_status(tmp_path: Path) -> None:
    with serving() as server:
        Store(server, looks=9)
        ran = sluice("config", "apply", written(tmp_path), "--no-wait", server=server.url)
    assert (ran.code, ran.out) == (0, "aggregator/one version 3 stored\n")
    assert server.requests("GET", STATUS) == []


def test_a_worker_that_does_not_follow_is_named(tmp_path: Path) -> None:
    with serving() as server:
        Store(server, looks=10**9)
        ran = sluice(
            "config", "apply", written(tmp_path), "--timeout", "0.05", server=server.url
        )  # fmt: skip
    assert ran.code == 1
    assert "after 0.05 s not in force on w2 (has version 2)" in ran.err


def test_one_wrong_file_and_nothing_is_sent(tmp_path: Path) -> None:
    good, bad = written(tmp_path, "one"), written(tmp_path, "two", operation="summ")
    bad.write_text("# a comment\n" + bad.read_text())
    with serving() as server:
        Store(server)
        ran = sluice("config", "apply", good, bad, server=server.url)
    assert ran.code == 1
    assert f'{bad}:2: aggregate[0].operation: "summ" is not accepted, expected `sum`' in ran.err
    assert server.heard == []


def test_what_the_server_refuses_is_told_by_file_and_line_and_nothing_is_put(
    tmp_path: Path,
) -> None:
    detail = 'input: "x" is not accepted, expected a topic'
    error = {"path": "input", "value": '"x"', "expected": "a topic", "detail": detail}
    with serving() as server:
        Store(server)
        refused = problem(422, "The document has one problem.", error)
        server.routes["POST /api/documents/validate"] = refused
        file = written(tmp_path)
        ran = sluice("config", "apply", file, server=server.url)
    assert (ran.code, ran.err) == (1, f"error: {file}:1: {detail}\n")
    assert server.requests("PUT", "/api/documents/aggregator/one") == []


def test_the_same_document_twice_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    ran = sluice("config", "validate", file, file)
    assert ran.code == 1
    assert f"aggregator/one is also at {file}:1" in ran.err


def test_apply_reads_standard_input() -> None:
    with serving() as server:
        Store(server)
        text = DOCUMENT.format(name="one", operation="max").encode()
        ran = sluice("config", "apply", "-", server=server.url, stdin=text)
    assert ran.code == 0
    assert len(server.requests("PUT", "/api/documents/aggregator/one")) == 1


def test_apply_without_a_server_is_3(tmp_path: Path) -> None:
    assert sluice("config", "apply", written(tmp_path), server=NOBODY).code == 3


def test_a_missing_file_is_2(tmp_path: Path) -> None:
    ran = sluice("config", "apply", tmp_path / "none.yaml")
    assert ran.code == 2
    assert "is not there; expected a YAML or JSON file" in ran.err


def test_validate_needs_no_server_and_lists_every_problem(tmp_path: Path) -> None:
    good, bad = written(tmp_path, "one"), tmp_path / "bad.yaml"
    bad.write_text("kind: aggregator\nname: B\n---\nkind: agregator\nname: b\n")
    ran = sluice("config", "validate", good, bad, "--json")
    assert ran.code == 1
    found = ran.json
    assert (found["valid"], [item["name"] for item in found["items"]]) == (False, ["one"])
    places = {(error["where"], error["path"]) for error in found["errors"]}
    assert {(f"{bad}:1", "name"), (f"{bad}:1", "group"), (f"{bad}:4", "kind")} <= places


def test_validate_says_what_is_valid(tmp_path: Path) -> None:
    file = written(tmp_path)
    ran = sluice("config", "validate", file)
    assert (ran.code, ran.out) == (0, f"{file}:1: aggregator/one is valid\n")


def test_unreadable_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("kind: aggregator\nname: [\n")
    ran = sluice("config", "validate", file)
    assert ran.code == 1
    assert f"{file}:3: " in ran.err


def test_remove_waits_until_nobody_has_it() -> None:
    answers: list[Answer] = [
        (200, {"version": 3, "in_force": False, "workers": [{"worker": "w1", "version": 2}]}),
        problem(404, "There is no such document."),
    ]
    with serving() as server:
        Store(server)
        server.routes[f"GET {STATUS}"] = lambda _: answers.pop(0)
        ran = sluice("config", "remove", "aggregator/one", server=server.url)
    assert (ran.code, ran.out, answers) == (0, "aggregator/one removed\n", [])


def test_remove_of_nothing_is_found_wrong() -> None:
    with serving() as server:
        ran = sluice("config", "remove", "aggregator/none", server=server.url)
    assert ran.code == 1


def test_show_lists_what_is_in_force_over_all_pages() -> None:
    def listed(heard: Heard) -> Answer:
        if "cursor" in heard.query:
            return page(version(1, {}, name="two"))
        return page(version(3, {}), next="more")

    with serving({"GET /api/documents": listed}) as server:
        ran = sluice("config", "show", server=server.url)
        machine = sluice("config", "show", "--json", server=server.url)
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        "document",
        "aggregator/one",
        "aggregator/two",
    ]
    assert [item["name"] for item in machine.json["items"]] == ["one", "two"]


def test_show_prints_yaml_that_can_be_applied_again() -> None:
    body = b'{"kind":"aggregator","name":"one","limit":9007199254740993.10,"text":"1e5"}'
    answer = json.dumps(version(3, {})).encode().replace(b'"document": {}', b'"document":' + body)
    with serving({"GET /api/documents/aggregator/one": (200, answer)}) as server:
        ran = sluice("config", "show", "aggregator/one", server=server.url)
        machine = sluice("config", "show", "aggregator/one", "--json", server=server.url)
    first, *rest = ran.out.splitlines()
    assert first == ("# aggregator/one version 3, 2025-11-03T04:30:00.000Z by ann: because")
    ((found, _),) = parse_documents("\n".join(rest), "shown")
    assert found["limit"] == Decimal("9007199254740993.10")
    assert found["text"] == "1e5"
    assert machine.json["version"] == 3
    assert b'"limit":9007199254740993.10' in machine.out.encode()


def test_an_earlier_version_is_shown_and_an_unknown_one_told() -> None:
    versions = page(version(2, {"a": 2}), version(1, {"a": 1}))
    with serving({"GET /api/documents/aggregator/one/versions": versions}) as server:
        ran = sluice("config", "show", "aggregator/one", "--version", "1", server=server.url)
        none = sluice("config", "show", "aggregator/one", "--version", "7", server=server.url)
    assert ran.out.splitlines()[-1] == "a: 1"
    assert (none.code, none.err) == (
        1,
        "error: aggregator/one has no version 7; its versions are 1 to 2\n",
    )


VERSIONS = page(
    version(4, {"a": 2, "c": 1}),
    version(3, None),
    version(2, {"a": 2, "b": [1]}),
    version(1, {"a": 1, "b": [1]}),
)


def test_history_tells_what_each_version_changed() -> None:
    with serving({"GET /api/documents/aggregator/one/versions": VERSIONS}) as server:
        ran = sluice("config", "history", "aggregator/one", server=server.url)
    changed = [line.split("because")[-1].strip() for line in ran.out.splitlines()[1:]]
    assert changed == ["new", "removed", "a", "new"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ["+ a: 2", "+ c: 1"]),
        (["--to", "2"], ["- a: 1", "+ a: 2"]),
        (["--from", "1", "--to", "4"], ["- a: 1", "+ a: 2", "+ c: 1", "- b: [1]"]),
        (["--from", "1", "--to", "1"], ["no difference"]),
        (["--to", "1"], ["+ a: 1", "+ b: [1]"]),
    ],
)
def test_diff_compares_versions(flags: list[str], expected: list[str]) -> None:
    with serving({"GET /api/documents/aggregator/one/versions": VERSIONS}) as server:
        ran = sluice("config", "diff", "aggregator/one", *flags, server=server.url)
    assert (ran.code, ran.out.splitlines()) == (0, expected)


def test_diff_compares_a_file_with_what_is_in_force(tmp_path: Path) -> None:
    file = written(tmp_path)
    ((body, _),) = parse_documents(file.read_text().replace("hours: 1", "hours: 2"), "x")
    body["flush"]["conditions"]["value"] = 1.1
    in_force = (200, version(3, body))
    with serving({"GET /api/documents/aggregator/one": in_force}) as server:
        ran = sluice("config", "diff", "aggregator/one", file, "--json", server=server.url)
    assert ran.json["items"] == [{"path": "flush.timeout.duration.hours", "before": 2, "after": 1}]


def test_preview_shows_sessions_flushes_and_rejects_without_a_server(tmp_path: Path) -> None:
    document, records = written(tmp_path), tmp_path / "r.jsonl"
    records.write_text(
        '{"account":"X","bytes":1}\n{"account":"X","bytes":0.1}\n'
        '{"account":5,"bytes":1}\n{"bytes":1}\nnope\n'
    )
    ran = sluice("config", "preview", document, records, "--json")
    assert ran.code == 1
    found = ran.json
    assert [s["group"] for s in found["sessions"]] == [{"account": 5}]
    (flushed,) = found["flushed"]
    assert flushed["values"] == {"sum_bytes": 1.1}
    assert flushed["meta"]["flushType"] == "CONDITION"
    assert flushed["explain"]["sources"][0]["topic"] == str(records)
    assert found["applied"] == 3
    assert [(r["line"], r["reason"]) for r in found["rejected"]] == [
        (4, "missing_group_field"),
        (5, "undecodable"),
    ]
    assert f"{records}:4: missing_group_field" in ran.err


def test_preview_for_people_counts_filtered_and_duplicates(tmp_path: Path) -> None:
    document = written(tmp_path)
    more = 'filter: {field: type, op: "==", value: data}\nevent_id: id\n'
    document.write_text(document.read_text() + more)
    records = b'{"id":1,"account":46701234567,"bytes":1,"type":"data"}\n' * 2 + b"{}\n"
    ran = sluice("config", "preview", document, stdin=records)
    assert ran.code == 0
    assert "46701234567" in ran.out
    assert ran.out.endswith("1 applied, 1 filtered out, 1 duplicates, 0 rejected\n")


def test_preview_marks_what_comes_late_and_sees_through_cloudevents(tmp_path: Path) -> None:
    document = written(tmp_path)
    period = "group: {fields: [account], periods: [{field: at, period: month, timezone: UTC}]}"
    text = document.read_text().replace("group: {fields: [account]}", period)
    document.write_text(text + "output: {topic: aggregates, envelope: cloudevents}\n")
    record = b'{"account":"%s","bytes":%d,"at":"2024-09-03T10:00:00Z"}\n'
    records = record % (b"X", 2) + record % (b"X", 1) + record % (b"Y", 1)
    ran = sluice("config", "preview", document, "--json", stdin=records)
    people = sluice("config", "preview", document, stdin=records)
    assert [(s["group"]["account"], s.get("late")) for s in ran.json["sessions"]] == [
        ("X", True),
        ("Y", None),
    ]
    assert ran.json["flushed"][0]["data"]["values"] == {"sum_bytes": 2}
    assert "condition sum_bytes >= 1.1" in people.out


@pytest.mark.parametrize("title", ["a", "a/", "/b", "a/b/c"])
def test_a_title_is_kind_and_name(title: str) -> None:
    ran = sluice("config", "history", title)
    assert (ran.code, "is not KIND/NAME" in ran.err) == (2, True)


def test_yaml_reads_back_as_the_same_values() -> None:
    document = {
        "kind": "x",
        "texts": ["1e5", "12:00", "yes", "null", "", "-", "+1", ".5", "2024-09-03", "ä: #", "0x1f"],
        "numbers": [1, Decimal("1.50"), Decimal("1E+30"), 10**40, Decimal("-0.1")],
        "others": [None, True, False, {}, []],
        "nested": {"a b": {"c": ["multi\nline", "tab\t"]}},
    }
    ((found, _),) = parse_documents(yaml_text(document), "text")
    assert found == document
