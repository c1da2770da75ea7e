"""`sluice consume`: values byte by byte, envelopes, places to begin, following."""

import json
import subprocess

import pytest

from app.cli import http
from tests.app.cli.running import ROOT, command, environment, sluice
from tests.app.cli.server import Answer, Hangup, Heard, problem, serving
from tests.waiting import until

ROUTE = "GET /api/topics/aggregates/records"


def record(offset: int, value: bytes = b"1") -> bytes:
    return (
        b'{"partition":0,"offset":%d,"timestamp":%d,"key":"k%d","value":%s,"headers":{"h":"x"}}'
        % (offset, 1000 + offset, offset, value)
    )


class Topic:
    """A topic with a page a record; cursors are "c" and the offset."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)

    def __call__(self, heard: Heard) -> Answer:
        start = heard.query["from"]
        at = {"beginning": 0, "end": len(self.values)}.get(start)
        at = int(start[1:]) if at is None else at
        found = [record(at, self.values[at])] if at < len(self.values) else []
        return 200, b'{"records":[%s],"next":"c%d"}' % (b",".join(found), at + len(found))


def test_values_come_byte_by_byte_from_beginning_to_end() -> None:
    values = [b'{"n":9007199254740993}', b'{ "x":1.10}', b'"text"', b"null"]
    with serving({ROUTE: Topic(*values)}) as server:
        ran = sluice("consume", "aggregates", server=server.url)
    assert ran.code == 0
    assert ran.out.encode().splitlines() == values
    assert all("wait" not in heard.query for heard in server.heard)


def test_an_envelope_has_place_time_key_and_headers() -> None:
    with serving({ROUTE: Topic(b'{"n":1.50}')}) as server:
        ran = sluice("consume", "aggregates", "--envelope", "--json", server=server.url)
    assert ran.lines == [
        {
            "partition": 0,
            "offset": 0,
            "timestamp": 1000,
            "key": "k0",
            "value": {"n": 1.5},
            "headers": {"h": "x"},
        }
    ]
    assert '"n":1.50' in ran.out


@pytest.mark.parametrize(
    ("start", "expected"), [("beginning", "123"), ("end", ""), ("1", "23"), ("9", "")]
)
def test_it_begins_where_it_is_told(start: str, expected: str) -> None:
    with serving({ROUTE: Topic(b"1", b"2", b"3")}) as server:
        ran = sluice("consume", "aggregates", "--from", start, server=server.url)
    assert (ran.code, ran.out.replace("\n", "")) == (0, expected)


def test_count_ends_it_and_asks_for_no_more_than_needed() -> None:
    with serving({ROUTE: Topic(b"1", b"2", b"3")}) as server:
        ran = sluice("consume", "aggregates", "--count", "2", "--follow", server=server.url)
    assert (ran.code, ran.out) == (0, "1\n2\n")
    assert server.heard[0].query["limit"] == "2"


def test_an_empty_topic_prints_nothing() -> None:
    with serving({ROUTE: Topic()}) as server:
        ran = sluice("consume", "aggregates", server=server.url)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_an_unknown_topic_is_found_wrong() -> None:
    with serving({ROUTE: problem(404, "There is no topic 'aggregates'.")}) as server:
        ran = sluice("consume", "aggregates", server=server.url)
    assert (ran.code, ran.err) == (1, "error: There is no topic 'aggregates'.\n")


def test_following_shows_what_comes_later_at_once() -> None:
    topic = Topic(b"1")
    with serving({ROUTE: topic}) as server:
        process = subprocess.Popen(
            command("consume", "aggregates", "--follow"),
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment({"SLUICE_SERVER": server.url}),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        until(lambda: len(server.heard) > 2, what="it asks on at the end")
        topic.values.append(b"2")
        assert process.stdout.readline() == b"2\n"
        process.terminate()
        process.communicate(timeout=30)
    assert float(server.heard[-1].query["wait"]) > 0


def test_following_outlives_a_server_that_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_PAUSE_S", 0.0)
    topic = Topic(b"1", b"2")

    def restarting(heard: Heard) -> Answer:
        if len(server.heard) == 2:
            raise Hangup
        if len(server.heard) == 3:
            return problem(503, "Starting.")
        return topic(heard)

    with serving() as server:
        server.routes[ROUTE] = restarting
        ran = sluice("consume", "aggregates", "--follow", "--count", "2", server=server.url)
    assert (ran.code, ran.out) == (0, "1\n2\n")


def test_an_answer_of_another_shape_is_told() -> None:
    with serving({ROUTE: (200, json.loads('{"items":[]}'))}) as server:
        ran = sluice("consume", "aggregates", server=server.url)
    assert ran.code == 1
    assert "is this a sluice server?" in ran.err
