"""Commands that no interface gives, but anybody may put on the topic: refused, or harmless.

What is taken stands in rows that the rules read later, when nothing can be refused any more.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns.document import WorkingTime, flow_json
from domain.campaigns.machine import apply
from domain.errors import Reject
from tests.domain.campaigns.kit import REQUEST, Shard, at, flow, number

ODD: list[Any] = ["x", True, 1.5, 1e300, float("nan"), [], {}, 10**18, -(10**18), 10**30]
UPLOAD = {
    "description": {"flow": "reminder"},
    "flow": flow_json(flow()),
    "now_ms": at("2025-11-03 08:00"),
}


def command(name: str, body: Any, request: str = REQUEST) -> dict[str, Any]:
    return {"kind": "command", "id": "c", "command": name, "request_id": request, "body": body}


def refused(name: str, body: Any, request: str = REQUEST) -> None:
    shard = Shard()
    shard.upload(2, end=False)
    with pytest.raises(Reject) as found:
        apply(shard.book, command(name, body, request), shard.now_ms, shard.flows)
    assert found.value.reason == "bad_event"


@pytest.mark.parametrize("schedule", ODD)
def test_a_schedule_time_that_is_no_instant_is_refused(schedule: Any) -> None:
    refused("rows", {"first": 3, "rows": [[number(3), {}, schedule]]})


@pytest.mark.parametrize(
    "row",
    [
        [number(3), 5, None], [number(3), {"a": 5}, None], [5, {}, None], ["98/0000", {}, None],
        [10**8, number(3), {}, None], "abc", "abcd", [number(3)],
    ],
)  # fmt: skip
def test_a_row_of_another_shape_is_refused(row: Any) -> None:
    refused("rows", {"first": 3, "rows": [row]})


@pytest.mark.parametrize("expires_ms", ODD)
def test_a_number_is_not_listed_until_what_is_no_instant(expires_ms: Any) -> None:
    refused("do_not_call", {"rows": [number(0)], "expires_ms": expires_ms}, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "x"},
        {"columns": [1]},
        {"columns": "abc"},
        {"flow": flow_json(flow(timezone="Nowhere"))},
        {"flow": flow_json(flow(lease_ms=10**17))},
        {"flow": flow_json(flow(result_ms=-1))},
        {"flow": flow_json(flow(working_time=WorkingTime(0, 10**6)))},
        {"flow": flow_json(flow(working_time=WorkingTime(600, 600)))},
    ],
)
def test_an_upload_that_can_not_be_reckoned_with_is_refused(changes: dict[str, Any]) -> None:
    refused("upload", {**UPLOAD, **changes}, "reminder-0000000000000001")
    shard = Shard()
    shard.apply(command("upload", UPLOAD))
    assert shard.show()["status"] == "Scheduled"


@given(st.lists(st.sampled_from([*ODD, None, number(5), {"a": "b"}, 3]), min_size=2, max_size=5))
def test_what_is_taken_can_be_read_later(row: list[Any]) -> None:
    shard = Shard()
    shard.upload(2, (), end=False)
    try:
        shard.apply(command("rows", {"first": 3, "rows": [row]}))
    except Reject:
        assert shard.show()["upload"]["accepted"] == 2
        return
    shard.until("2025-11-04 12:00")
    assert shard.show()["upload"]["accepted"] in (2, 3)  # 2: a record_no that was there before
    shard.prove()
