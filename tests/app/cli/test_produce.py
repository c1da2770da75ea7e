"""`sluice produce`: batches, keys, retries that add nothing, errors by the line."""

import gzip
import json
import os
import subprocess
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app.cli import http, produce
from app.cli.http import Client
from app.cli.lines import Line, batches
from domain.errors import UsageError
from tests.app.cli.running import NOBODY, ROOT, command, environment, sluice
from tests.app.cli.server import Answer, Hangup, Heard, problem, serving
from tests.waiting import until

ROUTE = "POST /api/topics/usage/records"
PATH = "/api/topics/usage/records"


def taking(heard: Heard) -> Answer:
    """Takes every record that is a JSON object."""
    lines = heard.body.split(b"\n")
    bad = [i for i, line in enumerate(lines) if not line.startswith(b"{")]
    rejected = [{"index": i, "reason": "undecodable", "detail": "no object"} for i in bad]
    return 202, {"accepted": len(lines) - len(bad), "rejected": rejected}


def lines_of(requests: list[Heard]) -> list[bytes]:
    return [line for heard in requests for line in heard.body.split(b"\n")]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr(http, "FIRST_PAUSE_S", 0.0)


def test_a_file_is_sent_as_it_is_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b'{"a": 1.10}\r\n\n{"a":2}')
    with serving({ROUTE: taking}) as server:
        ran = sluice("produce", "usage", file, server=server.url)
    assert (ran.code, ran.out) == (0, "2 accepted, 0 rejected\n")
    assert lines_of(server.heard) == [b'{"a": 1.10}', b'{"a":2}']
    assert server.heard[0].headers["Content-Type"] == "application/x-ndjson"


def test_standard_input_is_the_default_and_key_paths_are_passed_on() -> None:
    with serving({ROUTE: taking}) as server:
        ran = sluice(
            "produce", "usage", "--key", "account", "--key", "product.code", "--json",
            server=server.url, stdin=b'\xef\xbb\xbf{"a":1}\n',
        )  # fmt: skip
    assert ran.json == {"accepted": 1, "refused": 0, "rejected": []}
    assert server.heard[0].lists["key"] == ["account", "product.code"]
    assert lines_of(server.heard) == [b'{"a":1}']


def test_rejected_records_are_told_by_file_and_line_and_exit_1(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b'{"a":1}\n\nnope\n{"a":2}\n7\n')
    with serving({ROUTE: taking}) as server:
        ran = sluice("produce", "usage", file, "--json", server=server.url)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"{file}:3: undecodable: no object",
        f"{file}:5: undecodable: no object",
    ]
    assert [item["line"] for item in ran.json["rejected"]] == [3, 5]
    assert (ran.json["accepted"], ran.json["refused"]) == (2, 2)


def test_many_records_go_in_batches_with_a_key_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "BATCH_RECORDS", 10)
    records = [b'{"n":%d}' % n for n in range(25)]
    with serving({ROUTE: taking}) as server:
        ran = sluice("produce", "usage", server=server.url, stdin=b"\n".join(records))
    assert ran.out == "25 accepted, 0 rejected\n"
    assert lines_of(server.heard) == records
    assert len({heard.headers["Idempotency-Key"] for heard in server.heard}) == 3


@pytest.mark.parametrize("trouble", ["busy", "hangup"])
def test_a_batch_is_sent_again_under_the_same_key(trouble: str) -> None:
    def second_time(heard: Heard) -> Answer:
        if len(server.heard) > 1:
            return taking(heard)
        if trouble == "hangup":
            raise Hangup
        return problem(503, "Not now.")

    with serving() as server:
        server.routes[ROUTE] = second_time
        ran = sluice("produce", "usage", server=server.url, stdin=b'{"a":1}\n')
    assert (ran.code, ran.out) == (0, "1 accepted, 0 rejected\n")
    first, second = server.heard
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_giving_up_tells_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "BATCH_RECORDS", 2)
    monkeypatch.setattr(produce, "RETRY_FOR_S", 0.0)

    def first_only(heard: Heard) -> Answer:
        return taking(heard) if len(server.heard) == 1 else problem(507, "No room.")

    with serving() as server:
        server.routes[ROUTE] = first_only
        ran = sluice("produce", "usage", server=server.url, stdin=b'{"a":1}\n' * 5)
    assert ran.code == 1
    assert "2 records were accepted, up to stdin:2" in ran.err
    assert "No room." in ran.err


def test_what_is_too_much_at_once_goes_in_halves() -> None:
    def small_only(heard: Heard) -> Answer:
        if b"large" in heard.body or heard.body.count(b"\n") > 1:
            return problem(413, "The body is too large.")
        return taking(heard)

    stdin = b'{"a":1}\n{"a":2}\n{"a":"large"}\n{"a":4}\n{"a":5}\n'
    with serving({ROUTE: small_only}) as server:
        ran = sluice("produce", "usage", server=server.url, stdin=stdin)
    assert (ran.code, ran.out) == (1, "4 accepted, 1 rejected\n")
    assert ran.err == "stdin:3: too_large: The body is too large.\n"


def test_an_unknown_topic_is_told_once() -> None:
    with serving({ROUTE: problem(404, "There is no topic 'usage'.")}) as server:
        ran = sluice("produce", "usage", server=server.url, stdin=b"{}\n" * 3)
    assert (ran.code, ran.err) == (1, "error: There is no topic 'usage'.\n")
    assert len(server.heard) == 1


def test_a_server_nobody_started_is_not_waited_for() -> None:
    ran = sluice("produce", "usage", server=NOBODY, stdin=b"{}\n")
    assert ran.code == 3
    assert "nothing listens there" in ran.err


def test_a_missing_file_is_used_wrong(tmp_path: Path) -> None:
    ran = sluice("produce", "usage", tmp_path / "none.jsonl")
    assert ran.code == 2
    assert "none.jsonl: No such file or directory" in ran.err


def test_a_slow_pipe_does_not_hold_records_back() -> None:
    with serving({ROUTE: taking}) as server:
        process = subprocess.Popen(
            command("produce", "usage"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment({"SLUICE_SERVER": server.url}),
        )
        assert process.stdin is not None
        process.stdin.write(b'{"a":1}\n{"half":')
        process.stdin.flush()
        until(lambda: server.heard, what="the first record arrives while the pipe is open")
        out, _ = process.communicate(b"2}\n", timeout=30)
    assert lines_of(server.heard) == [b'{"a":1}', b'{"half":2}']
    assert out == b"2 accepted, 0 rejected\n"


def test_lines_keep_their_numbers_in_batches_of_any_size(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    texts = [b"x" * (n % 7) for n in range(50)]
    file.write_bytes(b"\n".join(texts))
    expected = [Line(n, text) for n, text in enumerate(texts, 1) if text]
    for records in (1, 3, 100):
        for size in (1, 8, 1000):
            with file.open("rb") as source:
                found = list(batches(source, records, size))
            assert [line for batch in found for line in batch] == expected
            assert all(len(batch) <= records for batch in found)
            assert all(
                len(batch) == 1 or sum(len(line.text) + 1 for line in batch) <= size + 1
                for batch in found
            )


def test_lines_of_a_pipe_come_when_they_are_complete() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb", buffering=0) as sink:
        sink.write(b"one\ntw")
        found = batches(source, 10, 1000)
        assert next(found) == [Line(1, b"one")]
        sink.write(b"o")
        sink.close()
        assert list(found) == [[Line(2, b"two")]]


def test_the_client_asks_again_on_a_connection_that_has_gone_stale() -> None:
    def drop_kept_alive(heard: Heard) -> Answer:
        if len(server.heard) == 2:
            raise Hangup
        return 200, {"n": len(server.heard)}

    with serving() as server:
        server.routes["GET /x"] = drop_kept_alive
        client = Client(server.url)
        answers: list[Any] = [client.get("/x"), client.get("/x")]
        client.close()
    assert answers == [{"n": 1}, {"n": 3}]


def test_a_server_that_is_silent_is_unreachable_in_time() -> None:
    answered = Event()

    def silent(_: Heard) -> Answer:
        answered.wait(30)
        return 200, {}

    with serving({"GET /x": silent}) as server:
        client = Client(server.url)
        with pytest.raises(http.ServerUnreachable, match=r"no answer within 0\.05 s"):
            client.request("GET", "/x", timeout_s=0.05)
        impatient = Client(server.url, timeout_s=0.04)
        with pytest.raises(http.ServerUnreachable, match=r"no answer within 0\.04 s"):
            impatient.get("/x")
        answered.set()
        assert client.get("/x") == {}
        client.close()


@pytest.mark.parametrize("address", ["x", "ftp://h", "http://", "http://h:port"])
def test_an_address_that_is_none_is_used_wrong(address: str) -> None:
    with pytest.raises(UsageError, match="expected one like http"):
        Client(address)


def test_the_client_pauses_longer_each_time_until_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "FIRST_PAUSE_S", 0.2)
    pauses: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    client = Client(NOBODY, sleep=sleep)
    with pytest.raises(http.ServerUnreachable):
        client.request("GET", "/x", retry_for_s=20.0)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_csv_is_sent_as_json_lines_told_by_its_own(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(
        'id,account,product.code,note\nc1,ada,voice,"a ""b"", c"\nc2,bob\nc3,bob,,\n"c4",eve,x,\n'
    )
    with serving({ROUTE: taking}) as server:
        ran = sluice("produce", "usage", file, server=server.url)
    assert (ran.code, ran.out) == (1, "3 accepted, 1 rejected\n")
    assert f"{file}:3: undecodable: the row has 2 cells, the header 4" in ran.err
    assert [json.loads(line) for line in lines_of(server.heard)] == [
        {"id": "c1", "account": "ada", "product": {"code": "voice"}, "note": 'a "b", c'},
        {"id": "c3", "account": "bob"},
        {"id": "c4", "account": "eve", "product": {"code": "x"}},
    ]


def test_csv_comes_from_standard_input_zipped_or_from_any_name_when_told(tmp_path: Path) -> None:
    text = b"a,a.b\n1,2\n"
    file = tmp_path / "rows"
    file.write_bytes(text)
    zipped = tmp_path / "rows.csv.gz"
    zipped.write_bytes(gzip.compress(text))
    with serving({ROUTE: taking}) as server:
        sluice("produce", "usage", "--input-format", "csv", server=server.url, stdin=text)
        sluice("produce", "usage", file, "--input-format", "csv", server=server.url)
        sluice("produce", "usage", zipped, server=server.url)
    assert lines_of(server.heard) == [b'{"a":"1","a.b":"2"}'] * 3


def test_csv_goes_in_batches_and_a_bad_header_sends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("n\n" + "".join(f"{n}\n" for n in range(12_000)))
    bad = tmp_path / "bad.csv"
    bad.write_text("n,n\n1,2\n")
    with serving({ROUTE: taking}) as server:
        ran = sluice("produce", "usage", file, server=server.url)
        refused = sluice("produce", "usage", bad, server=server.url)
    assert (ran.code, ran.out) == (0, "12,000 accepted, 0 rejected\n")
    assert len(server.heard) == 3
    assert (refused.code, refused.out) == (1, "") and "the header has 'n' twice" in refused.err
