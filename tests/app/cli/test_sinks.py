"""`sluice sinks`: totals, what is wrong, what a target has, and what it refused."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.app.cli.running import sluice
from tests.app.cli.server import Answer, Heard, problem, serving

COUNTS = {
    "sent": 5, "accepted": 4, "refused": 1, "waiting": 0, "passed": 0, "repeated": 0, "missed": 0,
}  # fmt: skip
LETTERS = "GET /api/topics/sink-dead-letters/records"


def sink(state: str = "caught up", **said: Any) -> dict[str, Any]:
    part = {"partition": 0, "state": state, "next": 9, **COUNTS, "since": None, "attempts": 0}
    return {
        "name": "billing", "version": 2, "kind": "http", "target": "http://127.0.0.1:1/hooks",
        "input": "aggregates", "state": state, "detail": "", **COUNTS, "partitions": [part], **said,
    }  # fmt: skip


def letter(record: str, sink: str = "billing", number: int = 0, **said: Any) -> dict[str, Any]:
    return {
        "id": f"{sink}-{record}", "sink": sink, "topic": "aggregates", "partition": 1,
        "offset": number, "record": record, "reason": "refused", "detail": "400 Bad Request",
        "status": 400, "original": b64encode(b'{"id":"' + record.encode() + b'"}').decode(),
        "at": f"2024-09-03T00:00:0{number}.000Z", **said,
    }  # fmt: skip


def topic_of(*letters: dict[str, Any]) -> Any:
    """The topic, two records a page."""

    def answer(heard: Heard) -> Answer:
        start = heard.query["from"]
        at = 0 if start == "beginning" else int(start)
        page = [
            {"partition": 0, "offset": at + i, "timestamp": 0, "key": each["sink"], "value": each}
            for i, each in enumerate(letters[at : at + 2])
        ]
        return 200, {"records": page, "next": str(at + len(page))}

    return answer


def test_sinks_are_listed_with_their_totals() -> None:
    with serving({"GET /api/sinks": (200, {"items": [sink()], "next": None})}) as server:
        ran = sluice("sinks", "list", server=server.url)
        machine = sluice("sinks", "list", "--json", server=server.url)
    assert (ran.code, ran.err) == (0, "")
    head, row = ran.out.splitlines()
    assert head.split()[3:6] == ["input", "state", "sent"]
    assert row.split()[:4] == ["billing", "http", "http://127.0.0.1:1/hooks", "aggregates"]
    assert machine.json["items"] == [sink()]


@pytest.mark.parametrize(
    ("state", "detail", "said"),
    [("failing", "no connection", "no connection"), ("stopped", "", "role `sinks`")],
)
def test_a_sink_that_fails_is_exit_1_and_says_why(state: str, detail: str, said: str) -> None:
    found = sink(state, detail=detail)
    answers = {
        "GET /api/sinks": (200, {"items": [found], "next": None}),
        "GET /api/sinks/billing": (200, found),
    }
    with serving(answers) as server:
        for arguments in (["list"], ["show", "billing"]):
            ran = sluice("sinks", *arguments, server=server.url)
            assert ran.code == 1
            assert f"billing is {state}" in ran.err and said in ran.err
            assert sluice("sinks", *arguments, "--json", server=server.url).err == ""


def test_a_sink_is_shown_by_partition_and_one_that_is_not_there_is_exit_1() -> None:
    answers = {
        "GET /api/sinks/billing": (200, sink()),
        "GET /api/sinks/other": problem(404, "There is no sink 'other'."),
    }
    with serving(answers) as server:
        ran = sluice("sinks", "show", "billing", server=server.url)
        none = sluice("sinks", "show", "other", server=server.url)
    assert ran.code == 0
    assert "http http://127.0.0.1:1/hooks" in ran.out
    assert ran.out.splitlines()[-1].split()[:3] == ["0", "caught", "up"]
    assert none.code == 1 and "no sink 'other'" in none.err


def test_what_a_target_has_is_told_by_id_and_exit_1_unless_it_has_all() -> None:
    def answer(heard: Heard) -> Answer:
        items = [
            {"id": one, "taken": one == "a", "state": "taken" if one == "a" else "unknown",
             "partition": None, "offset": None}
            for one in heard.lists["id"]
        ]  # fmt: skip
        return 200, {"items": items, "next": None}

    with serving({"GET /api/sinks/billing/taken": answer}) as server:
        both = sluice("sinks", "taken", "billing", "a", "b", server=server.url)
        one = sluice("sinks", "taken", "billing", "a", server=server.url)
    assert (both.code, one.code) == (1, 0)
    assert [line.split()[:2] for line in both.out.splitlines()[1:]] == [
        ["a", "taken"],
        ["b", "unknown"],
    ]


def test_letters_are_those_of_the_sink_once_the_newest_first() -> None:
    topic = topic_of(
        letter("r1"),
        letter("r9", sink="other"),
        letter("r2", number=1),
        letter("r1", number=2),
        letter("r3", number=3),
    )
    with serving({LETTERS: topic, "GET /api/sinks/billing": (200, sink())}) as server:
        ran = sluice("sinks", "letters", "billing", "--json", server=server.url)
        newest = sluice("sinks", "letters", "billing", "--limit", "1", server=server.url)
        one = sluice("sinks", "letters", "billing", "--record", "r2", server=server.url)
        none = sluice("sinks", "letters", "billing", "--record", "r9", server=server.url)
    assert [each["record"] for each in ran.lines] == ["r3", "r1", "r2"]
    assert [line.split()[3] for line in newest.out.splitlines()[1:]] == ["r3"]
    assert json.loads(one.out.splitlines()[-1]) == {"id": "r2"}
    assert none.code == 2 and "no letter of record 'r9'" in none.err
