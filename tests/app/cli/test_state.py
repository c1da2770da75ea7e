"""`sluice sessions|dead-letters|totals`: looking at the state of a running system."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.app.cli.running import sluice
from tests.app.cli.server import Answer, Heard, page, problem, serving

SESSIONS = "GET /api/aggregators/usage-a/sessions"


def session(account: object, total: object = 22) -> dict[str, Any]:
    return {
        "id": "5c0c",
        "aggregator": "usage-a",
        "version": 3,
        "sequence": 1,
        "group": {"account": account},
        "periods": {"timestamp": {"period": "month", "label": "2024-09", "start": "", "end": ""}},
        "values": {"sum_bytes": total},
        "parts": {},
        "meta": {
            "origin": "usage-a",
            "count": 2,
            "flushType": "",
            "firstEvent": "2024-09-03T13:00:00.000Z",
            "lastEvent": "2024-09-03T13:07:00.000Z",
            "lastCall": False,
        },
        "explain": {
            "rule": "duration 1h",
            "due": "2024-09-03T14:00:00.000Z",
            "sources": [{"topic": "usage", "partition": 0, "first": 10, "last": 42, "count": 2}],
        },
    }


def text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def searched(*accounts: object) -> Any:
    """Answers as the server does: by the text of a value."""

    def answer(heard: Heard) -> Answer:
        wanted = heard.query.get("group.account")
        found = [a for a in accounts if wanted is None or wanted == text_of(a)]
        return page(*(session(a) for a in found))

    return answer


def test_sessions_are_listed_with_group_results_and_due_time() -> None:
    with serving({SESSIONS: searched("X", 46701234567)}) as server:
        ran = sluice("sessions", "list", "usage-a", server=server.url)
    assert ran.code == 0
    header, first, second = (line.split() for line in ran.out.splitlines())
    assert header[:3] == ["account", "timestamp", "(month)"]
    assert first == ["X", "2024-09", "22", "2", "1", "2024-09-03T14:00:00.000Z"]
    assert second[0] == "46701234567"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("X", ["X"]),
        ("5", [5]),
        ('"5"', ["5"]),
        ("true", [True]),
        ('"true"', ["true"]),
        ("7", ["7"]),
        ('"8"', []),
        ("null", [None]),
        ("1.0", [1]),
        ("[", []),
    ],
)
def test_values_are_json_literals_or_text(typed: str, expected: list[object]) -> None:
    accounts = ["X", 5, "5", True, "true", "7", 8, None, 1]
    with serving({SESSIONS: searched(*accounts)}) as server:
        ran = sluice(
            "sessions", "list", "usage-a", f"account={typed}", "--json", server=server.url
        )  # fmt: skip
    assert [item["group"]["account"] for item in ran.json["items"]] == expected


def test_a_field_may_hold_dots_and_a_period_goes_by_its_label() -> None:
    with serving({SESSIONS: page(session("X"))}) as server:
        ran = sluice(
            "sessions", "list", "usage-a", "product.code=a=b", "timestamp=2024-09",
            "--limit", "5", "--cursor", "c", server=server.url,
        )  # fmt: skip
    assert ran.code == 0
    query = {"limit": "5", "cursor": "c", "group.product.code": "a=b"}
    assert server.heard[0].query == {**query, "group.timestamp": "2024-09"}


def test_a_value_of_another_type_is_told_by_how_it_looks() -> None:
    with serving({SESSIONS: searched("5", 5, None, "null", True)}) as server:
        ran = sluice("sessions", "list", "usage-a", server=server.url)
    shown = [line.split()[0] for line in ran.out.splitlines()[1:]]
    assert shown == ['"5"', "5", "null", '"null"', "true"]


def test_the_very_value_is_preferred_with_a_period_beside_it() -> None:
    sessions = page(session("5"), session(5))
    with serving({SESSIONS: sessions}) as server:
        ran = sluice(
            "sessions", "show", "usage-a", "account=5", "timestamp=2024-09", "--json",
            server=server.url,
        )  # fmt: skip
    assert ran.json["group"] == {"account": 5}


def test_a_further_page_is_pointed_to() -> None:
    with serving({SESSIONS: page(session("X"), next="abc")}) as server:
        ran = sluice("sessions", "list", "usage-a", server=server.url)
    assert ran.err == "there are more: add --cursor abc\n"


def test_one_session_is_shown_with_what_it_was_made_of() -> None:
    with serving({SESSIONS: searched("X", "Y")}) as server:
        ran = sluice("sessions", "show", "usage-a", "account=X", server=server.url)
        machine = sluice("sessions", "show", "usage-a", "account=X", "--json", server=server.url)
    assert "2024-09-03T14:00:00.000Z (duration 1h)" in ran.out
    assert ran.out.splitlines()[-1].split() == ["usage", "0", "10", "42", "2"]
    assert machine.json["group"] == {"account": "X"}


def test_no_session_is_found_wrong() -> None:
    with serving({SESSIONS: searched()}) as server:
        ran = sluice("sessions", "show", "usage-a", "account=X", server=server.url)
    assert (ran.code, ran.err.splitlines()[0]) == (
        1,
        "error: usage-a has no open session with account=X",
    )


def test_several_sessions_are_not_one() -> None:
    with serving({SESSIONS: searched("X", "Y")}) as server:
        ran = sluice("sessions", "show", "usage-a", server=server.url)
    assert ran.code == 2
    assert "give all of account, timestamp" in ran.err


def test_an_unknown_aggregator_is_told() -> None:
    with serving({SESSIONS: problem(404, "There is no aggregator 'usage-a'.")}) as server:
        ran = sluice("sessions", "list", "usage-a", server=server.url)
    assert (ran.code, ran.err) == (1, "error: There is no aggregator 'usage-a'.\n")


LETTER = {
    "id": "d1",
    "topic": "usage",
    "partition": 2,
    "offset": 7,
    "aggregator": None,
    "reason": "undecodable",
    "detail": "no JSON",
    "original": b64encode(b'{"a":\x1b[31m\xff').decode(),
    "version": None,
    "at": "2024-09-03T14:00:00.000Z",
}


def test_dead_letters_are_listed_by_the_filters_given() -> None:
    with serving({"GET /api/dead-letters": page(LETTER)}) as server:
        ran = sluice(
            "dead-letters", "list", "--reason", "undecodable", "--aggregator", "a",
            "--topic", "usage", "--replayed", "no", server=server.url,
        )  # fmt: skip
        machine = sluice("dead-letters", "list", "--json", server=server.url)
    assert "usage/2/7" in ran.out
    given = {"reason": "undecodable", "aggregator": "a", "topic": "usage", "replayed": "no"}
    assert server.heard[0].query == {"limit": "100", **given}
    assert machine.json == {"items": [LETTER], "next": None}


def test_no_dead_letters_is_said() -> None:
    with serving({"GET /api/dead-letters": page()}) as server:
        ran = sluice("dead-letters", "list", server=server.url)
    assert (ran.code, ran.out) == (0, "no dead letters\n")


def test_a_letter_is_shown_with_its_record_and_no_escapes() -> None:
    with serving({"GET /api/dead-letters/d1": (200, LETTER)}) as server:
        ran = sluice("dead-letters", "show", "d1", server=server.url)
        machine = sluice("dead-letters", "show", "d1", "--json", server=server.url)
    assert ran.out.endswith('{"a":\\x1b[31m\\xff\n')
    assert machine.json == LETTER


def totals(name: str, balanced: bool) -> dict[str, Any]:
    count = {"in": 1234567, "open": 4, "flushed": 1, "duplicates": 0, "rejected": 0}
    return {
        "aggregator": name,
        "count": {**count, "expired": 0, "deleted": 0},
        "sums": {"sum_bytes": {"in": 22, "open": 20, "flushed": 2, "expired": 0, "deleted": 0}},
        "balanced": balanced,
    }


def test_balanced_totals_are_0() -> None:
    items = {"items": [totals("a", True), totals("b", True)]}
    with serving({"GET /api/totals": (200, items)}) as server:
        ran = sluice("totals", server=server.url)
        machine = sluice("totals", "--json", server=server.url)
    assert ran.code == 0
    assert ran.out.splitlines()[1].split()[:3] == ["a", "count", "1,234,567"]
    assert machine.json == items


def test_totals_that_do_not_balance_are_1_and_named() -> None:
    route = "GET /api/aggregators/b/totals"
    with serving({route: (200, totals("b", False))}) as server:
        ran = sluice("totals", "b", "--json", server=server.url)
    assert ran.code == 1
    assert ran.json == totals("b", False)
    assert "the totals of b do not balance" in ran.err
