"""Funnel, usage and processes over HTTP and on their pages."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from markupsafe import escape

from app.web.edn import edn
from app.web.wire import loads
from tests.app.web import made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, page, token, visit

SPAN = "from=2025-10-01&to=2025-12-01"


def asked(path: str, backend: FakeBackend | None = None) -> Any:
    status, text = get(path, backend)
    assert status == 200, text
    return json.loads(text)


def test_funnel_events_are_paged_newest_first_with_what_they_left_out() -> None:
    backend = FakeBackend("big")
    first = asked("/api/funnel?limit=3", backend)
    assert list(first["items"][0]) == [
        "id", "at", "operation", "label", "campaign", "step", "customer", "ok", "detail",
    ]  # fmt: skip
    assert [item["label"] for item in first["items"]] == ["information", "information", "action"]
    then = asked(f"/api/funnel?limit=3&cursor={first['next']}", backend)
    assert [item["at"] for item in [*first["items"], *then["items"]]] == sorted(
        (item["at"] for item in [*first["items"], *then["items"]]), reverse=True
    )
    assert then["items"][0]["label"] == "error"


@pytest.mark.parametrize(
    ("query", "count"),
    [("since=1h", 60), ("since=6h", 240), ("label=error&since=1h", 15), ("campaign=dues-1", 80),
     ("customer=%2B919800000003", 24), ("campaign=dues-1&label=action", 20), ("campaign=x", 0)],
)  # fmt: skip
def test_funnel_filters_hold_together(query: str, count: int) -> None:
    assert len(asked(f"/api/funnel?limit=1000&{query}", FakeBackend("big"))["items"]) == count


@pytest.mark.parametrize("query", ["since=2h", "label=bad", "limit=0", "cursor=%00"])
def test_a_filter_that_is_none_is_named(query: str) -> None:
    status, text = get(f"/api/funnel?{query}")
    assert status == 400, text


def test_a_funnel_event_is_told_whole_as_json_or_edn() -> None:
    event = asked("/api/funnel/0-0-3")
    assert (event["operation"], event["kind"], event["detail"]["page"]) == ("Error", "funnel", 3)

    async def steps(client: Client) -> tuple[str, str]:
        answer = await client.get("/api/funnel/0-0-3?format=edn")
        return answer.headers["Content-Type"], await answer.text()

    media, text = visit(steps)
    assert media.startswith("application/edn")
    assert ':operation "Error"' in text
    assert '"a b" [1.5 nil "x"]' in text
    assert get("/api/funnel/0-0-3?format=xml")[0] == 400
    assert get("/api/funnel/nope")[0] == 404


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a":1,"b/c":2,"1x":3,"-2":4,"a b":5,"":6,"a/b/c":7}',
         '{:a 1\n :b/c 2\n "1x" 3\n "-2" 4\n "a b" 5\n "" 6\n "a/b/c" 7}'),
        ('["\\"\\\\\\n\\u0001", true, null, {}]', '["\\"\\\\\\n\\u0001" true nil {}]'),
        ("[12345678901234567890, 0.1, 1.00000000000000000001]",
         "[12345678901234567890N 0.1 1.00000000000000000001M]"),
        ('{"é":{"k":[]}}', '{"é" {:k []}}'),
    ],
)  # fmt: skip
def test_json_is_said_in_edn(text: str, wanted: str) -> None:
    assert edn(loads(text.encode())) == wanted


def test_usage_has_five_figures_and_four_charts() -> None:
    found = asked(f"/api/usage?{SPAN}")
    assert found["campaigns"] == {"total": 2, "active": 3}
    assert (found["leads"], found["conversions"], found["reached"]) == (4, 4, 8)
    assert found["reached_is_estimate"] is False
    assert list(found["charts"]) == [
        "synced_pages", "messages", "banners", "banners_by_placeholder",
    ]  # fmt: skip
    days = found["charts"]["messages"]
    assert (len(days), sum(day["value"] for day in days)) == (61, 4)
    placed = found["charts"]["banners_by_placeholder"]
    assert sum(one["value"] for one in placed) == 4
    assert [one["value"] for one in placed] == sorted((o["value"] for o in placed), reverse=True)


def test_a_period_does_not_hold_its_end() -> None:
    backend = FakeBackend("none")
    backend.take_event(made.NOW_MS, kind="usage", what="lead", customer="p")
    at = "2025-11-03T04:30:00Z"
    assert asked(f"/api/usage?from=2025-11-03&to={at}", backend)["leads"] == 0
    assert asked("/api/usage?from=2025-11-03&to=2025-11-03T04:30:00.001Z", backend)["leads"] == 1


def test_a_chart_is_told_in_detail() -> None:
    backend = FakeBackend("big")
    found = asked(f"/api/usage/banners?{SPAN}&limit=7", backend)
    assert found["total"] == 120
    assert set(found["highest"]) == {"value", "at"}
    assert len(found["records"]) == 7
    assert list(found["records"][0]) == [
        "id", "at", "what", "campaign", "customer", "placeholder", "channel",
    ]  # fmt: skip
    more = asked(f"/api/usage/banners?{SPAN}&limit=1000&cursor={found['next']}", backend)
    assert (len(more["records"]), more["next"]) == (113, None)
    placed = asked(f"/api/usage/banners_by_placeholder?{SPAN}", backend)
    assert set(placed["highest"]) == {"value", "at", "placeholder"}
    assert asked("/api/usage/messages?from=2001-01-01&to=2001-02-01", backend)["highest"] is None
    assert get("/api/usage/nope")[0] == 404
    assert get("/api/usage?from=soon")[0] == 400
    for end in ("0001-01-01", "9999-12-31"):
        assert get(f"/api/usage?to={end}")[0] == 200
        assert get(f"/api/usage?from={end}")[0] == 200


def test_processes_tell_workers_and_what_runs() -> None:
    found = asked("/api/processes")
    assert [one["state"] for one in found["workers"]] == ["ready", "gone"]
    assert list(found["workers"][0]) == [
        "worker", "state", "cpu", "memory", "loop_lag", "state_bytes", "history",
    ]  # fmt: skip
    assert list(found["workers"][0]["history"][0]) == [
        "time", "cpu", "memory", "loop_lag", "state_bytes",
    ]  # fmt: skip
    assert all(minute["time"].endswith(":00.000Z") for minute in found["workers"][0]["history"])
    one = found["running"][0]
    assert list(one)[1:8] == ["kind", "name", "owner", "started", "progress", "rate", "eta"]


def test_what_runs_is_cancelled_where_that_loses_nothing() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> list[int]:
        statuses = []
        for ident in ("w-1:export/7", "w-1:export/7", "w-1:upload/0"):
            answer = await client.post("/api/processes/cancel", json={"id": ident})
            statuses.append(answer.status)
        return [*statuses, (await client.post("/api/processes/cancel", json={})).status]

    assert visit(steps, backend) == [200, 404, 409, 400]
    assert backend.cancelled == ["w-1:export/7"]


def test_cancel_needs_the_forms_token() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> tuple[int, int]:
        fields = {"id": "w-1:preview/9", "name": "Preview dues"}
        refused = await client.post("/processes/cancel", data=fields)
        fields["csrf"] = await token(client)
        done = await client.post("/processes/cancel", data=fields, allow_redirects=False)
        return refused.status, done.status

    assert visit(steps, backend) == (403, 303)
    assert backend.cancelled == ["w-1:preview/9"]


@pytest.mark.parametrize("size", ["none", "little", "big"])
@pytest.mark.parametrize(
    "path", ["/processes", "/funnel", "/funnel?since=1h&label=error", "/usage", "/usage/messages"]
)
def test_pages_are_there_with_any_data(path: str, size: Any) -> None:
    text = page(path, FakeBackend(size))
    name = {"p": "Processes", "f": "Funnel debugger", "u": "Usage"}[path[1]]
    assert f"<title>{name}" in text
    assert 'aria-current="page"' in text


def test_rows_of_state_are_found_by_the_beginning_of_their_key() -> None:
    assert "/tables/sessions" in page("/tables")
    key = made.key_of(1)
    address = f"/tables/sessions/row?{urlencode({'key': key})}"
    assert str(escape(address)) in page(f"/tables/sessions?{urlencode({'prefix': key[:14]})}")
    assert "No row begins so." in page("/tables/sessions?prefix=nothing")
    assert "owned by w-1" in page(address)
    assert get("/tables/nope", Accept="text/html")[0] == 404
    assert get("/tables/sessions/row?key=nope", Accept="text/html")[0] == 404


def test_an_estimate_is_marked() -> None:
    backend = FakeBackend()
    backend.exact = False
    assert "an estimate" in page(f"/usage?{SPAN}", backend)
    assert asked(f"/api/usage?{SPAN}", backend)["reached_is_estimate"] is True


def test_an_event_opens_as_json_and_as_edn() -> None:
    assert "&#34;operation&#34;: &#34;Error&#34;" in page("/funnel/0-0-3")
    assert ":operation &#34;Error&#34;" in page("/funnel/0-0-3?format=edn")
