"""The commands against the product's own HTTP application: both sides mean the same wire."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from aiohttp import web

from app.web.server import make_web
from config.settings import Settings
from tests.app.cli.running import sluice
from tests.app.web import made
from tests.app.web.fake import FakeBackend, Size


@contextmanager
def console(backend: FakeBackend) -> Iterator[str]:
    """The product's HTTP application on a free port, for the time of the block; its address."""
    started, end = Event(), Event()
    address: list[str] = []

    async def serve() -> None:
        runner = web.AppRunner(make_web(backend, Settings(), backend.clock))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        address.append(f"http://{host}:{port}")
        started.set()
        await asyncio.get_running_loop().run_in_executor(None, end.wait)
        await runner.cleanup()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(20)
        yield address[0]
    finally:
        end.set()
        thread.join()


@contextmanager
def little(size: Size = "little") -> Iterator[tuple[FakeBackend, str]]:
    backend = FakeBackend(size)
    with console(backend) as address:
        yield backend, address


DOCUMENT = """\
kind: aggregator
name: one
group: {fields: [account]}
aggregate: [{field: bytes, operation: sum}]
flush: {by: timeout, timeout: {duration: {hours: 1}}}
"""


def test_a_document_is_applied_shown_compared_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(DOCUMENT)
    with little() as (_, address):
        applied = sluice("config", "apply", file, "--reason", "why", server=address)
        file.write_text(DOCUMENT.replace("hours: 1", "hours: 2"))
        diff = sluice("config", "diff", "aggregator/one", file, server=address)
        again = sluice("config", "apply", file, "--json", server=address)
        history = sluice("config", "history", "aggregator/one", "--json", server=address)
        listed = sluice("config", "show", server=address)
        removed = sluice("config", "remove", "aggregator/one", server=address)
        gone = sluice("config", "show", "aggregator/one", server=address)
    assert applied.out == "aggregator/one version 1 in force\n"
    assert diff.out.splitlines() == [
        "- flush.timeout.duration.hours: 1",
        "+ flush.timeout.duration.hours: 2",
    ]
    assert again.json == {"kind": "aggregator", "name": "one", "version": 2, "in_force": True}
    assert [item["reason"] for item in history.json["items"]] == ["", "why"]
    assert "aggregator/one " in listed.out
    assert removed.out == "aggregator/one removed\n"
    assert (gone.code, "aggregator/one" in gone.err) == (1, True)


def test_what_show_prints_can_be_applied(tmp_path: Path) -> None:
    with little() as (_, address):
        shown = sluice("config", "show", "aggregator/data-per-account", server=address)
        ran = sluice("config", "apply", "-", server=address, stdin=shown.out.encode())
    assert ran.code == 0
    assert ran.out == "aggregator/data-per-account version 4 in force\n"


def test_records_go_in_and_come_out(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text('{"a": 1.10, "account":"X"}\nnope\n\n{"a":9007199254740993, "account":"Y"}\n')
    with little() as (_, address):
        sent = sluice("produce", "usage", file, "--key", "account", server=address)
        values = sluice("consume", "usage", server=address)
        whole = sluice("consume", "usage", "--envelope", "--from", "1", server=address)
        none = sluice("consume", "nothing", server=address)
    assert (sent.code, sent.out) == (1, "2 accepted, 1 rejected\n")
    assert sent.err.startswith(f"{file}:2: undecodable: ")
    assert values.out == ('{"a": 1.10, "account":"X"}\n{"a":9007199254740993, "account":"Y"}\n')
    (envelope,) = whole.lines
    assert (envelope["offset"], envelope["key"], envelope["headers"]) == (1, "Y", {})
    assert (none.code, "nothing" in none.err) == (1, True)


def test_a_record_too_large_for_the_system_is_told_by_line() -> None:
    large = b'{"a":"%s"}\n' % (b"x" * (1 << 20))
    with little() as (_, address):
        ran = sluice("produce", "usage", server=address, stdin=b"{}\n" + large + b"{}\n")
    assert (ran.code, ran.out) == (1, "2 accepted, 1 rejected\n")
    assert ran.err.startswith("stdin:2: too_large: ")


def test_sessions_letters_and_totals_are_shown() -> None:
    with little() as (backend, address):
        listed = sluice("sessions", "list", "data-per-account", "--json", server=address)
        account = listed.json["items"][0]["group"]["account"]
        people = sluice("sessions", "list", "data-per-account", server=address)
        shown = sluice(
            "sessions", "show", "data-per-account", f"account={account}", server=address
        )  # fmt: skip
        unknown = sluice("sessions", "list", "none", server=address)
        letters = sluice("dead-letters", "list", "--json", server=address)
        letter = sluice("dead-letters", "show", letters.json["items"][0]["id"], server=address)
        totals = sluice("totals", server=address)
    assert len(listed.json["items"]) == 3
    assert len(people.out.splitlines()) == 4
    assert (shown.code, account in shown.out) == (0, True)
    assert unknown.code == 1
    first = made.letter(0, backend.clock.now_ms())
    assert letters.json["items"][0]["original"] == b64encode(first.original).decode()
    assert first.reason in letter.out
    assert (totals.code, "10,000,000,000,000,000,000" in totals.out) == (0, True)


def test_the_doctor_is_content_with_a_running_console(tmp_path: Path) -> None:
    with little() as (_, address):
        ran = sluice("doctor", "--json", "--data-dir", tmp_path, server=address)
    assert ran.code == 0
    assert {check["state"] for check in ran.json["checks"]} == {"ok"}
    assert "server" in {check["name"] for check in ran.json["checks"]}


def test_pages_of_a_long_list_go_on_by_cursor() -> None:
    with little("big") as (_, address):
        first = sluice(
            "sessions", "list", "data-per-account", "--limit", "2", "--json", server=address
        )
        second = sluice(
            "sessions", "list", "data-per-account", "--limit", "2", "--json",
            "--cursor", first.json["next"], server=address,
        )  # fmt: skip
    accounts = [item["group"]["account"] for item in first.json["items"] + second.json["items"]]
    assert len(set(accounts)) == 4


def test_dead_letters_are_replayed() -> None:
    with little() as (backend, address):
        trial = sluice("dead-letters", "replay", "--dry-run", server=address)
        assert backend.replays == []
        one = sluice("dead-letters", "replay", "--id", "dl-000001", server=address)
        unknown = sluice("dead-letters", "replay", "--id", "nobody", server=address)
        ran = sluice("dead-letters", "replay", "--json", "--why", "mended", server=address)
        none = sluice("dead-letters", "replay", "--reason", "not_a_number", server=address)
    assert (trial.code, trial.out.splitlines()) == (
        0,
        [
            "4 letters would be replayed",
            "1 letter would be refused again and stay: undecodable 1",
        ],
    )
    assert one.out == "1 letter replayed\n"
    assert (unknown.code, "nobody" in unknown.err) == (1, True)
    assert (ran.json["letters"], ran.json["replayed"], ran.json["refused"]) == (4, 3, 1)
    assert none.out == "no letter waits for a replay\n"
    asked = [(where, change.reason) for where, change in backend.replays]
    assert asked == [({"id": "dl-000001"}, ""), ({}, "mended"), ({"reason": "not_a_number"}, "")]
    assert len({change.idempotency_key for _, change in backend.replays}) == 3
