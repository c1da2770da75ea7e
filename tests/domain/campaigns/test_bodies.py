"""Commands whose bodies hold what they can't: dead letters, never told as done."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.instants import PRINTED
from domain.campaigns.document import flow_json
from domain.errors import Reject
from tests.domain.campaigns.kit import REQUEST, Shard, flow, number

ONE = [number(0)]
ROW = [number(9), {"name": "n"}, None]
DESCRIBED = {"description": {"flow": "reminder"}, "flow": flow_json(flow()), "now_ms": 0}
MALFORMED: list[tuple[str, Any]] = [
    ("negatives", {}),
    ("negatives", []),
    ("negatives", ""),
    ("negatives", {"rows": None}),
    ("negatives", {"rows": number(0)}),
    ("negatives", {"rows": {"a": 1}}),
    ("negatives", {"rows": [{"number": number(0)}]}),
    ("negatives", {"rows": [None]}),
    ("negatives", {"rows": [True]}),
    ("negatives", {"file": "stop.csv"}),
    ("negatives", {"rows": ONE, "first": 0}),
    ("negatives", {"rows": ONE, "first": "1"}),
    ("negatives", {"rows": ONE, "upload_id": 1}),
    ("negatives", {"rows": ONE, "filename": ["n.csv"]}),
    ("negatives", {"rows": ONE, "more": "no"}),
    ("negatives", {"rows": ONE, "again": "1"}),
    ("negatives", {"rows": ONE, "reason": ["r"]}),
    ("withdraw", {}),
    ("withdraw", {"number": 919800000000}),
    ("withdraw", {"number": ""}),
    ("do_not_call", {}),
    ("do_not_call", {"rows": number(0)}),
    ("do_not_call", {"file": "stop.csv"}),
    ("do_not_call", {"rows": ONE, "country": ["IN"]}),
    ("do_not_call", {"rows": ONE, "country": "india"}),
    ("do_not_call", {"rows": ONE, "expires_ms": "2025-11-04"}),
    ("do_not_call", {"rows": ONE, "expires_ms": True}),
    ("do_not_call", {"rows": ONE, "expires_ms": PRINTED.stop}),
    ("do_not_call", {"rows": ONE, "remove": number(0)}),
    ("do_not_call", {"remove": [number(0)]}),
    ("do_not_call", {"remove": ""}),
    ("erase", {}),
    ("erase", {"number": {"a": 1}}),
    ("erase", {"number": "9800000000"}),
    ("erase", {"number": number(0), "before_day": "2025-01-01"}),
    ("upload", {**DESCRIBED, "description": []}),
    ("upload", {**DESCRIBED, "flow": {}}),
    ("upload", {**DESCRIBED, "now_ms": "0"}),
    ("upload", {**DESCRIBED, "now_ms": 10**30}),
    ("upload", {**DESCRIBED, "columns": "number"}),
    ("upload", {**DESCRIBED, "dry_run": True}),
    ("rows", {"rows": "abc"}),
    ("rows", {"first": 3, "rows": ["abc"]}),
    ("rows", {"first": 3, "rows": [[9, *ROW], "abc"]}),
    ("rows", {"first": 3, "rows": [[number(9), "n", None]]}),
    ("rows", {"first": 3, "rows": [[number(9), {"name": 1}, None]]}),
    ("rows", {"first": 3, "rows": [[number(9), {"name": "n"}, "now"]]}),
    ("rows", {"first": 3, "rows": [["9", *ROW]]}),
    ("rows", {"first": 3, "rows": [ROW], "rejected": 10**30}),
    ("rows", {"first": 3, "rows": [ROW], "progress": "half"}),
    ("rows_end", {"rejected": "1"}),
    ("rows_end", {"command_id": 1}),
]


def event(name: str, body: Any, **more: Any) -> dict[str, Any]:
    request = "reminder-00000000000000ff" if name == "upload" else REQUEST
    return {
        "kind": "command", "id": "x", "command": name, "request_id": request, "body": body, **more
    }  # fmt: skip


@pytest.mark.parametrize(("name", "body"), MALFORMED)
def test_a_body_that_can_not_be_is_a_dead_letter(name: str, body: Any) -> None:
    shard = Shard()
    shard.upload(2)
    with pytest.raises(Reject) as refused:
        shard.apply(event(name, body))
    assert refused.value.reason == "bad_event"
    assert shard.book.get(b"k/x") is None


@pytest.mark.parametrize("more", [{"actor": ["ann"]}, {"reason": {"why": "r"}}])
def test_who_and_why_are_text(more: dict[str, Any]) -> None:
    shard = Shard()
    shard.upload(2)
    for name in ("negatives", "revoke"):
        with pytest.raises(Reject):
            shard.apply(event(name, {"rows": ONE} if name == "negatives" else {}, **more))


def test_the_event_of_the_interface_is_taken_without_more() -> None:
    shard = Shard()
    shard.upload(3)
    shard.apply(event("negatives", {"rows": [number(0), 9_800_000_001]}))
    assert shard.states() == ["NEGATIVE", "NEGATIVE", "CREATED"]
    body = {"rows": ["9800000002"], "country": "IN", "expires_ms": None}
    assert shard.command("do_not_call", body, "")["result"]["fdds"]["negative"] == 1
    shard.command("erase", {"number": "+91 98000 00000"}, "")
    assert number(0).encode() not in b"".join([*shard.book.rows, *shard.book.rows.values()])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
_MEMBERS = sorted({name for _, body in MALFORMED if isinstance(body, dict) for name in body})


@given(
    st.sampled_from(sorted({name for name, _ in MALFORMED})),
    st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=3),
)
def test_whatever_a_body_holds_it_is_taken_or_a_dead_letter(name: str, body: Any) -> None:
    shard = Shard()
    shard.upload(2)
    whole = {**DESCRIBED, **body} if name == "upload" else {"rows": [], "number": number(0), **body}
    for each in (body, whole):
        try:
            shard.apply(event(name, each))
        except Reject:
            continue
        shard.until("2025-11-04 00:00")
        shard.prove()
