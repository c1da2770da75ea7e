"""Records in and out over HTTP."""

import json

import pytest

from app.web.params import MAX_LIMIT
from connectors.streams.base import DiskFull, StreamUnavailable
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, problem, visit
from tests.browser.dev import DevSettings

USAGE = "/api/topics/usage/records"


def test_records_are_accepted_and_the_rest_is_named() -> None:
    async def steps(client: Client) -> object:
        body = '{"a":1}\nnope\n{"a":2}\n'
        headers = {"Content-Type": "application/x-ndjson"}
        response = await client.post(USAGE, data=body, headers=headers)
        assert response.status == 202
        return await response.json()

    answer = visit(steps)
    assert isinstance(answer, dict)
    assert answer["accepted"] == 2
    assert [(r["index"], r["reason"]) for r in answer["rejected"]] == [(1, "undecodable")]


def test_a_single_oversize_record_is_413() -> None:
    async def steps(client: Client) -> object:
        response = await client.post(USAGE, json={"a": "x" * 200})
        return await problem(response, 413, "too-large")

    assert visit(steps, settings=DevSettings(max_record_bytes=100))


def test_bytes_above_the_limit_are_413_too() -> None:
    async def steps(client: Client) -> object:
        headers = {"Content-Type": "application/octet-stream"}
        response = await client.post(USAGE, data=b"x" * 200, headers=headers)
        return await problem(response, 413, "too-large")

    assert visit(steps, settings=DevSettings(max_record_bytes=100))


def test_keys_come_from_paths_of_the_address() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        await client.post(USAGE + "?key=account", json=[{"account": "X"}, {"account": "Y"}])

    visit(steps, backend)
    assert [record.key for record in backend.records["usage"]] == [b"X", b"Y"]


def test_a_repeat_with_its_idempotency_key_appends_nothing_again() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> list[object]:
        headers = {"Idempotency-Key": "k1"}
        posts = [await client.post(USAGE, json={"a": 1}, headers=headers) for _ in range(2)]
        return [await post.json() for post in posts]

    first, second = visit(steps, backend)
    assert first == second == {"accepted": 1, "rejected": []}
    assert len(backend.records["usage"]) == 1


def test_an_idempotency_key_for_another_request_is_a_conflict() -> None:
    async def steps(client: Client) -> object:
        headers = {"Idempotency-Key": "k1"}
        await client.post(USAGE, json={"a": 1}, headers=headers)
        response = await client.post(USAGE, json={"a": 2}, headers=headers)
        return await problem(response, 422, "idempotency-conflict")

    assert visit(steps)


def test_an_impossible_idempotency_key_is_refused() -> None:
    async def steps(client: Client) -> object:
        headers = {"Idempotency-Key": "x" * 256}
        response = await client.post(USAGE, json={"a": 1}, headers=headers)
        return await problem(response, 400, "bad-parameter")

    assert visit(steps)


@pytest.mark.parametrize(
    ("topic", "status", "code"),
    [("nowhere", 404, "unknown-topic"), ("sluice-sessions-in", 403, "internal-topic")],
)
def test_topics_that_are_none_or_not_for_people_take_nothing(
    topic: str, status: int, code: str
) -> None:
    async def steps(client: Client) -> object:
        response = await client.post(f"/api/topics/{topic}/records", json={"a": 1})
        return await problem(response, status, code)

    assert visit(steps)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StreamUnavailable("kafka://b:9092", "no answer"), 503, "unavailable"),
        (DiskFull("disk"), 507, "disk-full"),
    ],
)
def test_a_stream_that_can_not_take_them_is_said(error: Exception, status: int, code: str) -> None:
    backend = FakeBackend()
    backend.failing = error

    async def steps(client: Client) -> object:
        response = await client.post(USAGE, json={"a": 1})
        return await problem(response, status, code)

    assert visit(steps, backend)


def test_records_are_read_page_by_page_to_a_cursor_that_stays() -> None:
    async def steps(client: Client) -> list[dict[str, object]]:
        await client.post(USAGE, json=[{"n": 0}, {"n": 1}, {"n": 2}])
        pages = []
        cursor = "beginning"
        for _ in range(3):
            query = {"from": cursor, "limit": "2"}
            pages.append(await (await client.get(USAGE, params=query)).json())
            cursor = pages[-1]["next"]
        return pages

    pages = visit(steps)
    values = [[record["value"] for record in page["records"]] for page in pages]  # type: ignore[attr-defined]  # JSON
    assert values == [[{"n": 0}, {"n": 1}], [{"n": 2}], []]
    assert pages[1]["next"] == pages[2]["next"]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b'{"a": 1.10}', '{"a": 1.10}'),
        (b"9007199254740993", "9007199254740993"),
        ("caf\u00e9".encode(), '"caf\u00e9"'),
        (b"\xff\x00", '{"base64":"/wA="}'),
    ],
)
def test_a_value_is_shown_as_json_else_text_else_bytes(stored: bytes, shown: str) -> None:
    async def steps(client: Client) -> str:
        headers = {"Content-Type": "application/octet-stream"}
        await client.post(USAGE, data=stored, headers=headers)
        return await (await client.get(USAGE)).text()

    assert f'"value":{shown},' in visit(steps)


def test_a_followed_topic_sends_events_with_the_cursor_to_go_on() -> None:
    async def steps(client: Client) -> str:
        await client.post(USAGE, json=[{"n": 0}, {"n": 1}])
        response = await client.get(USAGE, headers={"Accept": "text/event-stream"})
        assert response.content_type == "text/event-stream"
        return await response.text()

    events = visit(steps).strip().split("\n\n")
    assert [json.loads(event.split("data: ")[1])["value"] for event in events] == [
        {"n": 0},
        {"n": 1},
    ]
    assert "id:" not in events[0]
    assert events[1].startswith("id: 2\n")


def test_a_followed_stream_goes_on_after_the_last_event_seen() -> None:
    async def steps(client: Client) -> str:
        await client.post(USAGE, json=[{"n": 0}, {"n": 1}])
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "1"}
        return await (await client.get(USAGE, headers=headers)).text()

    assert visit(steps).count("data: ") == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=x", f"limit={MAX_LIMIT + 1}", "wait=-1"])
def test_parameters_out_of_bounds_are_refused_by_name(query: str) -> None:
    status, text = get(f"{USAGE}?{query}")
    assert status == 400
    assert json.loads(text)["errors"][0]["path"] == query.partition("=")[0]


def test_a_cursor_of_another_list_is_refused() -> None:
    status, text = get(f"{USAGE}?from=elsewhere")
    assert (status, json.loads(text)["errors"]) == (400, [{"path": "cursor"}])


def test_a_reason_that_no_letter_has_is_422() -> None:
    async def steps(client: Client) -> object:
        response = await client.get("/api/dead-letters?reason=undecodible")
        return await problem(response, 422, "bad-parameter")

    told = visit(steps)
    assert isinstance(told, dict)
    assert told["errors"][0]["path"] == "reason"
    assert "undecodable" in told["errors"][0]["expected"]


def test_topics_tell_how_they_are_set_where_that_is_asked_for() -> None:
    first = json.loads(get("/api/topics?config=true")[1])["items"][0]
    assert first["config"] == {"cleanup.policy": "delete"}
    assert "config" not in json.loads(get("/api/topics")[1])["items"][0]
    assert get("/api/topics?config=yes")[0] == 400
