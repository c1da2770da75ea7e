"""Taking an event back in the console: found first, with a reason, once."""

from typing import Any

import pytest

from app.day_shapes import Retracted
from app.shapes import Change
from tests.app.web import made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, get, page, token, visit

NAME = {"aggregator": "data-per-account"}
ADDRESS = "/sessions/retract?aggregator=data-per-account"


class Later(FakeBackend):
    """The shard has not done it yet, or it was done before."""

    def __init__(self, done: bool, repeated: bool) -> None:
        super().__init__()
        self.told = Retracted("f1", "data-per-account", '["a"]', done, repeated)

    async def retract_event(
        self, aggregator: str, event_id: object, group: Any, change: Change
    ) -> Retracted:
        return self.told


class ById(FakeBackend):
    """data-per-account knows its events by id."""

    def __init__(self) -> None:
        super().__init__()
        self._add("aggregator", "data-per-account", {**made.DATA, "event_id": "id"}, "a", "", 1)


def sent(fields: dict[str, str], backend: FakeBackend) -> tuple[int, str, str]:
    """(status, Location, text) of the form."""

    async def steps(client: Client) -> tuple[int, str, str]:
        csrf = await token(client)
        response = await client.post(
            "/sessions/retract",
            data={"csrf": csrf, **NAME, **fields},
            headers=PERSON,
            allow_redirects=False,
        )
        return response.status, response.headers.get("Location", ""), await response.text()

    return visit(steps, backend)


def test_what_it_would_do_is_told_before_it_is_done() -> None:
    backend = FakeBackend()
    status, _, text = sent({"do": "check", "event_id": "e-1"}, backend)
    assert (status, backend.retracted) == (200, [])
    assert "1 event of session acc-0000001, voice, 2025-11 will be taken back" in text
    assert "what is open of it is flushed first" in text
    assert "usage 1/4,711" in text and "&#34;bytes&#34;: 5" in text
    assert "Take 1 event back" in text


def test_it_is_taken_back_with_a_reason_only() -> None:
    backend = FakeBackend()
    fields = {"do": "retract", "event_id": "e-1", "group.account": "acc-0000001"}
    status, _, text = sent({**fields, "reason": " "}, backend)
    assert (status, backend.retracted) == (422, [])
    assert "Say why" in text and 'name="event_id" value="e-1"' in text
    status, where, _ = sent({**fields, "reason": "charged twice"}, backend)
    assert status == 303
    group = {"account": "acc-0000001"}
    assert backend.retracted == [("data-per-account", "e-1", group, "charged twice")]
    assert "Taken back." in page(where, backend)
    assert len(backend.retracted) == 1


@pytest.mark.parametrize(
    ("fields", "event", "group"),
    [
        ({"event_id": "5"}, 5, {}),
        ({"event_id": '"5"'}, "5", {}),
        ({"event_id": "5", "event_source": "/s"}, "/s\x005", {}),
        ({"event_id": "e", "group.account": "7"}, "e", {"account": 7}),
        ({"event_id": "e", "group.account": '"7"'}, "e", {"account": "7"}),
        ({"event_id": "e", "group.timestamp": "2025"}, "e", {"timestamp": "2025"}),
        ({"event_id": "e", "group.timestamp": '"2025"'}, "e", {"timestamp": "2025"}),
    ],
)
def test_values_are_what_they_are_as_json_else_text(
    fields: dict[str, str], event: object, group: dict[str, object]
) -> None:
    backend = FakeBackend()
    sent({"do": "retract", "reason": "r", **fields}, backend)
    assert backend.retracted == [("data-per-account", event, group, "r")]
    sent({"do": "check", **fields}, backend)
    assert backend.calls[-1] == f"find_retractable {event!r} {group}"


def test_what_can_not_be_taken_back_is_told_and_nothing_done() -> None:
    backend = FakeBackend()
    status, _, text = sent({"do": "check", "event_id": "max"}, backend)
    assert (status, "nothing negative can correct max_bytes" in text) == (422, True)
    status, _, text = sent({"do": "check", "event_id": " "}, backend)
    assert (status, "Say which event" in text) == (422, True)
    status, _, text = sent({"do": "check", "event_id": "e-again"}, backend)
    assert (status, "Take 1 event back" in text) == (200, False)
    assert "It has been taken back before" in text
    assert get("/sessions/retract?aggregator=x", Accept="text/html")[0] == 404
    assert backend.retracted == []


@pytest.mark.parametrize(
    ("done", "repeated", "said"),
    [(False, False, "Durable and at work"), (True, True, "had been taken back before")],
)
def test_the_answer_says_how_far_it_is(done: bool, repeated: bool, said: str) -> None:
    backend = Later(done, repeated)
    _, where, _ = sent({"do": "retract", "event_id": "e", "reason": "r"}, backend)
    assert said in page(where, backend)


def test_where_events_are_known_by_id_the_pages_lead_there() -> None:
    explain = "/sessions/explain?aggregator=data-per-account&id=0000000100000001c0ffee"
    listed = "/sessions?aggregator=data-per-account"
    for path in (explain, listed):
        assert "Take an event back" not in page(path)
        assert "Take an event back" in page(path, ById())
    assert "retract?aggregator=data-per-account&amp;group.account=acc-0000001" in page(
        explain, ById()
    )
    assert 'name="group.account" value="acc-0000001"' in page(
        f"{ADDRESS}&group.account=acc-0000001"
    )
