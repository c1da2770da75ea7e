"""`sluice sessions flush|delete|set-timeout`."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.cli.running import sluice
from tests.app.cli.server import Answer, Heard, problem, serving

PATH = "/api/aggregators/usage-a/sessions"
WHY = ("--reason", "asked for")


def done(touched: int = 1, **changed: Any) -> dict[str, Any]:
    counts = {"sessions": touched, "records": touched * 3}
    found = {"command_id": "c1", "action": "flush", "aggregator": "usage-a", "dry_run": False}
    return {**found, "state": "done", "touched": touched, "counts": counts, "complete": True} | (
        changed
    )


def only(account: object) -> Any:
    """A server where one session is open."""

    def answer(heard: Heard) -> Answer:
        body = heard.json()
        meant = body["group"]["account"]
        touched = int(meant == account and type(meant) is type(account))
        return 200, done(touched, dry_run=body.get("dry_run", False))

    return answer


@pytest.mark.parametrize(
    ("action", "more", "said"),
    [
        ("flush", [], "1 session with 3 records flushed; command c1"),
        ("delete", [], "1 session with 3 records deleted; command c1"),
        (
            "set-timeout",
            ["--due", "2030-01-01T00:00:00Z"],
            "1 session with 3 records set to a new timeout; command c1",
        ),
    ],
)
def test_a_command_goes_once_with_its_reason(action: str, more: list[str], said: str) -> None:
    route = f"POST {PATH}/{action}"
    with serving({route: only("X")}) as server:
        ran = sluice("sessions", action, "usage-a", "account=X", *WHY, *more, server=server.url)
        (heard,) = server.heard
    assert (ran.code, ran.out.strip()) == (0, said)
    assert heard.json()["group"] == {"account": "X"}
    assert heard.json()["reason"] == "asked for"
    assert heard.json().get("due") == (more[1] if more else None)
    assert len(heard.headers["Idempotency-Key"]) > 20


@pytest.mark.parametrize(
    ("typed", "held", "sent"),
    [("5", 5, 5), ("5", "5", "5"), ('"5"', "5", "5"), ("true", True, True)],
)
def test_a_value_means_what_is_open(typed: str, held: object, sent: object) -> None:
    with serving({f"POST {PATH}/flush": only(held)}) as server:
        ran = sluice("sessions", "flush", "usage-a", f"account={typed}", *WHY, server=server.url)
        last = server.heard[-1].json()
    assert ran.code == 0
    assert (last["group"], last.get("dry_run")) == ({"account": sent}, None)


def test_a_dry_run_needs_no_reason_and_says_that_nothing_changed() -> None:
    answer = 200, done(2_000, dry_run=True, complete=False)
    with serving({f"POST {PATH}/delete": answer}) as server:
        where = "{field: sum_bytes, op: '>', value: 5}"
        ran = sluice(
            "sessions", "delete", "usage-a", "--filter", where, "--dry-run", server=server.url
        )
        (heard,) = server.heard
    assert ran.code == 0
    assert ran.out.strip() == (
        "at least 2,000 sessions with 6,000 records would be deleted; nothing was changed"
    )
    assert heard.json()["filter"] == {"field": "sum_bytes", "op": ">", "value": 5}
    assert heard.json()["dry_run"] is True


def test_what_takes_long_is_waited_for() -> None:
    states: Iterator[dict[str, Any]] = iter(
        [{"state": "running", "result": None}, {"state": "done", "result": done(2)}]
    )

    def state(heard: Heard) -> Answer:
        assert heard.query == {"at": "0-7"}
        return 200, {"command_id": "c1", **next(states)}

    where = "/api/aggregators/usage-a/commands/c1"

    with serving({f"GET {where}": state}) as server:
        server.routes[f"POST {PATH}/flush"] = lambda _: (202, done(0, state="running"))
        server.location = f"{where}?at=0-7"
        ran = sluice("sessions", "flush", "usage-a", "account=X", *WHY, "--json", server=server.url)
    assert ran.code == 0
    assert ran.json["touched"] == 2


def test_nothing_meant_is_found_wrong() -> None:
    with serving({f"POST {PATH}/flush": only("X")}) as server:
        ran = sluice("sessions", "flush", "usage-a", "account=Y", *WHY, server=server.url)
    assert ran.code == 1
    assert "no open session with account=Y" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["account=X"],
        ["account=X", "--reason", " "],
        [*WHY],
        ["account=X", "--filter", "{field: a, op: exists}", *WHY],
        ["account", *WHY],
    ],
)
def test_used_wrong_is_told_before_anything_is_sent(arguments: list[str]) -> None:
    with serving() as server:
        ran = sluice("sessions", "flush", "usage-a", *arguments, server=server.url)
        assert server.heard == []
    assert ran.code == 2


def test_what_the_server_refuses_is_told_with_its_path() -> None:
    refused = problem(
        422, "The command has one problem; nothing was changed.",
        {"path": "group.acount", "detail": "group.acount: expected a group field"},
    )  # fmt: skip
    with serving({f"POST {PATH}/flush": refused}) as server:
        ran = sluice("sessions", "flush", "usage-a", "acount=X", *WHY, server=server.url)
    assert ran.code == 1
    assert "group.acount: expected a group field" in ran.err
