"""Uploads that come as events on `campaign-events`."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from agents.letters import Letter
from agents.uploads.events import UploadEvents, upload_in
from agents.uploads.named_files import NamedFiles, OpenFile
from agents.uploads.uploads import request_id_of
from connectors.files.base import FilesUnavailable, Found
from connectors.files.local import LocalFiles, LocalReading
from connectors.files.opening import open_file, open_files
from tables.stream import Item
from tests.agents.uploads.kit import NOW_MS, Home, number, table
from tests.contracts.files import access_of

ONE = "reminder-0011223344556677"


def event(body: Any, request_id: Any = ONE, **more: Any) -> dict[str, Any]:
    return {
        "kind": "command", "id": "u1", "command": "upload", "request_id": request_id, "body": body,
        **more,
    }  # fmt: skip


def _no_s3(address: str) -> Any:
    raise AssertionError(address)


def passed(
    home: Home,
    *events: dict[str, Any],
    open_file: OpenFile | None = None,
    request_id: str = ONE,
) -> tuple[list[Item], list[Letter]]:
    items: list[Item] = [
        (n, NOW_MS, None, json.dumps(one).encode(), ()) for n, one in enumerate(events)
    ]

    async def steps(uploads: Any) -> Any:
        taker = UploadEvents(NamedFiles(home.folder.path.parent, open_file or _no_s3))
        taker.go(uploads)
        found = await taker.passed(0, items, NOW_MS)
        await uploads.read_to_end(request_id)
        return found

    found: tuple[list[Item], list[Letter]] = home.run(steps)
    return found


def test_rows_in_an_event_become_a_campaign_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "uploads")
    rows = [{"number": number(1), "name": "a,b"}, {"number": 9_800_000_002, "extra": {"a": 1}}]
    body = {"name": "dues", "slots": ["10:00-12:00"], "rows": rows}
    other = {"kind": "command", "id": "p", "command": "pause", "request_id": ONE, "body": {}}
    for _ in range(2):
        left, letters = passed(home, other, event(body, actor="billing"))
        assert ([item[0] for item in left], letters) == ([0], [])
    assert home.shard.begun["description"]["name"] == "dues"
    assert home.stream.events[0]["actor"] == "billing"
    assert home.shard.records == {
        1: (number(1), {"name": "a,b", "extra": ""}, None),
        2: (number(2), {"name": "", "extra": '{"a":1}'}, None),
    }
    _, (letter,) = passed(home, event({**body, "name": "other"}))
    assert letter.reason == "bad_event"


def test_a_file_under_the_data_directory_becomes_a_campaign(tmp_path: Path) -> None:
    home = Home(tmp_path / "uploads")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dues.csv").write_bytes(table([number(1), "a"]))
    assert passed(home, event({"slots": ["10:00-12:00"], "file": "in/dues.csv"})) == ([], [])
    assert home.shard.begun["file"] == "dues.csv"
    assert len(home.shard.records) == 1


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        ({"file": "../outside.csv"}, ONE),
        ({"file": "/etc/hostname"}, ONE),
        ({"file": "nothing.csv"}, ONE),
        ({"file": "a.csv", "rows": []}, ONE),
        ({}, ONE),
        ({"rows": ["+1"]}, ONE),
        ({"rows": [{"number": "+1"}], "slots": ["08:00-09:00"]}, ONE),
        ({"rows": [{"number": "+1"}], "slots": ["10:00-12:00"], "start_date": "9999-12-31"}, ONE),
        ({"rows": [{"phone": "+1"}]}, ONE),
        ({"rows": [{"number": "+1"}], "flow": "other"}, ONE),
        ({"rows": [{"number": "+1"}]}, "nobody-0011223344556677"),
        ({"rows": [{"number": "+1"}]}, "../reminder-0011223344556677"),
        ({"rows": [{"number": "+1"}]}, None),
        ({"rows": [{"number": "+1"}], "flow": "../reminder"}, None),
        ({"rows": [{"number": number(1)}], "dry_run": True}, ONE),
        ({"rows": [{"number": number(1)}], "dry_run": "no"}, ONE),
        ({"rows": [{"number": number(1)}], "slot": ["10:00-12:00"]}, ONE),
        ("rows", ONE),
    ],
)
def test_an_upload_that_can_not_be_is_a_dead_letter(
    tmp_path: Path, body: Any, request_id: Any
) -> None:
    home = Home(tmp_path / "uploads")
    left, (letter,) = passed(home, event(body, request_id))
    assert (left, letter.reason) == ([], "bad_event")
    assert home.stream.events == []


def test_an_upload_without_a_request_id_gets_one_of_its_own_id(tmp_path: Path) -> None:
    home = Home(tmp_path / "uploads")
    made = request_id_of("reminder", "event u1")
    description = {"flow": "reminder", "slots": ["10:00-12:00"]}
    body = {"description": description, "rows": [{"number": number(1)}], "reason": "as agreed"}
    for _ in range(2):
        assert passed(home, event(body, None), request_id=made) == ([], [])
    assert {each["request_id"] for each in home.stream.events} == {made}
    assert home.shard.begun["description"]["slots"] == ["10:00-12:00"]
    first, last = home.stream.events[0], home.stream.events[-1]
    assert (first["reason"], last["command"]) == ("as agreed", "rows_end")
    assert last["body"]["command_id"] == "u1"


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'"upload"', b'{"command":"uploads"}', b'{"command":"upload","body":{"flow":{}}}'],
)
def test_what_is_no_upload_from_outside_is_left(text: bytes) -> None:
    assert upload_in(text) is None


def negatives(body: Any, **more: Any) -> dict[str, Any]:
    return {**event(body), "command": "negatives", "id": "n1", "actor": "ann", **more}


def test_a_file_of_negatives_comes_in_parts_that_are_the_same_each_time(tmp_path: Path) -> None:
    home = Home(tmp_path / "uploads")
    (tmp_path / "stop.csv").write_text("name,number\n" + "".join(f"x,{n}\n" for n in range(4_001)))
    body = {"file": "stop.csv", "reason": "r", "dry_run": True}
    for _ in range(2):
        assert passed(home, negatives(body)) == ([], [])
    first, second = home.stream.events[:3], home.stream.events[3:]
    assert first == second
    assert [each["id"] for each in first] == ["n1-0", "n1-1", "n1"]
    assert {each["body"]["upload_id"] for each in first} == {"n1"}
    assert {each["body"]["filename"] for each in first} == {"stop.csv"}
    assert [each["body"]["more"] for each in first] == [True, True, False]
    assert [text for each in first for text in each["body"]["rows"]] == [
        str(n) for n in range(4_001)
    ]
    assert [each["body"]["first"] for each in first] == [1, 2_001, 4_001]
    assert all(each["actor"] == "ann" and each["body"]["reason"] == "r" for each in first)
    assert all(each["body"]["dry_run"] is True for each in first)


def test_many_rows_of_negatives_are_taken_apart_and_few_go_on_as_they_are(tmp_path: Path) -> None:
    home = Home(tmp_path / "uploads")
    many = negatives({"rows": [f"+91980000{n:04}-------------------" for n in range(2_500)]})
    left, letters = passed(home, many, negatives({"rows": ["+1"]}))
    assert ([item[0] for item in left], letters) == ([1], [])
    assert [len(each["body"]["rows"]) for each in home.stream.events] == [2_000, 500]


@pytest.mark.parametrize(
    "body",
    [
        {"file": "../x.csv"},
        {"file": "no.csv"},
        {"file": "stop.csv"},
        {"file": "a", "rows": []},
        {"file": "stop.csv", "filename": ["s"]},
        {"file": None, "rows": number(1)},
        {"file": None, "rows": [{"number": number(1)}]},
        {"rows": [[number(1) * 3]] * 2_001},
    ],
)
def test_negatives_that_can_not_be_read_are_a_dead_letter(tmp_path: Path, body: Any) -> None:
    home = Home(tmp_path / "uploads")
    (tmp_path / "stop.csv").write_text("phone\n1\n")
    left, (letter,) = passed(home, negatives(body))
    assert (left, letter.reason) == ([], "bad_event")
    assert home.stream.events == []


def test_a_file_on_s3_becomes_a_campaign(tmp_path: Path, s3_url: str) -> None:
    access, bucket = access_of(s3_url)
    folder = f"s3://{bucket}/in-{uuid.uuid4().hex[:12]}"
    # more than one piece of it
    content = table(*([number(n), "a" * 900] for n in range(1, 6_001)))
    writing = open_files(folder, access).write("dues.csv")
    writing.write(content)
    writing.place()
    home = Home(tmp_path / "uploads")
    given = {"slots": ["10:00-12:00"], "file": f"{folder}/dues.csv"}
    found = passed(home, event(given), open_file=lambda address: open_file(address, access))
    assert found == ([], [])
    assert home.shard.begun["file"] == "dues.csv"
    assert len(home.shard.records) == 6_000
    for address in (f"{folder}/other.csv", f"s3://{bucket}", f"s3://{bucket}-none/a.csv"):
        refused = event({"slots": ["10:00-12:00"], "file": address}, f"reminder-{'3' * 16}")
        _, (letter,) = passed(home, refused, open_file=lambda asked: open_file(asked, access))
        assert (letter.reason, address in letter.detail) == ("bad_event", True)


def test_an_upload_waits_for_files_that_are_away(tmp_path: Path) -> None:
    (tmp_path / "dues.csv").write_bytes(table([number(1), "a"]))
    away = iter([True, False, True])

    class Flaky(LocalFiles):
        """Away when it is first asked, and again in the middle."""

        def _ask(self) -> None:
            if next(away, False):
                raise FilesUnavailable("s3://b/in", "no answer")

        def stat(self, name: str) -> Found | None:
            self._ask()
            return super().stat(name)

        def open(self, name: str, start: int = 0, end: int | None = None) -> LocalReading:
            self._ask()
            return super().open(name, start, end)

    pauses: list[None] = []

    async def pause() -> None:
        pauses.append(None)

    async def content() -> bytes:
        files = NamedFiles(tmp_path, lambda _: (Flaky(tmp_path), "dues.csv"), pause)
        pieces, name = files.read("s3://b/in/dues.csv")
        assert name == "dues.csv"
        return b"".join([piece async for piece in pieces])

    assert asyncio.run(content()) == (tmp_path / "dues.csv").read_bytes()
    assert len(pauses) == 2
