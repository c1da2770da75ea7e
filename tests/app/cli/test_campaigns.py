"""`sluice campaigns` and `sluice fdds` against the real HTTP interface on a backend in memory."""

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from aiohttp import web

from app.campaign_shapes import Difference, RefusedAction
from app.web.server import make_web
from tests.app.cli.running import Ran, sluice
from tests.app.web import campaign_made as made
from tests.app.web.fake import FakeBackend
from tests.browser.dev import DevSettings

ONE = made.request_id(0)
CSV = b"number,name\n+919876500000,A\n"


@contextmanager
def console(backend: FakeBackend) -> Iterator[str]:
    """The address of a server of its own, for the time of the block."""
    started = threading.Event()
    urls: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        runner = web.AppRunner(make_web(backend, DevSettings(), backend.clock))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        over = asyncio.Event()
        loops.append((asyncio.get_running_loop(), over))
        started.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield urls[0]
    finally:
        loop, over = loops[0]
        loop.call_soon_threadsafe(over.set)
        thread.join()


def run(backend: FakeBackend, *words: str) -> Ran:
    with console(backend) as url:
        return sluice("campaigns", *words, server=url)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dues.csv"
    path.write_bytes(CSV)
    return path


def test_a_file_is_uploaded_with_what_is_said_of_it(backend: FakeBackend, file: Path) -> None:
    packed = file.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(CSV * 100_000))
    ran = run(
        backend, "upload", str(packed), "--flow", "reminder", "--name", "dues",
        "--slot", "10:00-12:00", "--slot", "16:00-18:00", "--days", "5", "--start-date",
        "2025-11-03", "--number-column", "number", "--schedule-column", "call_at",
        "--duplicates", "first", "--idempotency-key", "k", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    done = json.loads(ran.out)
    assert done["request_id"] == ONE
    assert done["warnings"][0]["code"] == "schedule_column_ignored"
    ((_, (description, filename, body, change)),) = backend.asked
    assert description == {
        "flow": "reminder", "name": "dues", "slots": ["10:00-12:00", "16:00-18:00"], "days": 5,
        "start_date": "2025-11-03", "number_column": "number", "schedule_column": "call_at",
        "duplicates": "first",
    }  # fmt: skip
    assert (filename, body) == ("dues.csv.gz", packed.read_bytes())
    assert change.idempotency_key == "k"


def test_an_upload_tells_its_id_and_what_would_be(backend: FakeBackend, file: Path) -> None:
    words = ("upload", str(file), "--flow", "reminder")
    assert run(backend, *words).out == ONE + "\n"
    ran = run(backend, *words, "--slot", "10:00-12:00", "--dry-run")
    assert "10:00-12:00: 9 FDDs, fits" in ran.out
    assert "row 1, number: bad_number 'abc0'" in ran.out
    ran = run(backend, "upload", str(file), "--flow", "nobody")
    assert ran.code == 1
    assert "the name of a flow in force" in ran.err
    ran = run(backend, "upload", str(file) + "x", "--flow", "reminder")
    assert ran.code == 2
    assert "can't be read" in ran.err


def test_campaigns_are_listed_and_shown(backend: FakeBackend) -> None:
    ran = run(backend, "list", "--search", "dues 1", "--day", made.DAY)
    assert ran.code == 0
    assert ran.out.splitlines()[1].split()[:3] == [made.request_id(1), "dues", "1"]
    assert "pending 4,788" in ran.err
    ran = run(backend, "show", ONE)
    assert "998 accepted, 2 rejected" in ran.out
    assert "outcome.failed.BUSY" in ran.out
    assert json.loads(run(backend, "show", ONE, "--json").out)["request_id"] == ONE
    assert run(backend, "show", "nobody").code == 1


@pytest.mark.parametrize(
    ("words", "action", "body"),
    [
        (["retrigger"], "retrigger", {}),
        (["retrigger", "--day", "2025-11-03", "--failed", "BUSY", "--failed", "NO_ACK",
          "--status", "IN_PROGRESS", "--slot", "18:00-19:00"], "retrigger",
         {"day": "2025-11-03", "statuses": ["IN_PROGRESS"], "failed": ["BUSY", "NO_ACK"],
          "slot": "18:00-19:00"}),
        (["reschedule", "--slot", "11:00-12:00", "--days", "2"], "reschedule",
         {"slots": ["11:00-12:00"], "days": 2}),
        (["revoke"], "revoke", {}),
        (["pause"], "pause", {}),
        (["resume"], "resume", {}),
    ],
)  # fmt: skip
def test_a_campaign_is_changed(
    backend: FakeBackend, words: list[str], action: str, body: dict[str, Any]
) -> None:
    ran = run(backend, words[0], ONE, *words[1:], "--reason", "asked", "--dry-run")
    assert ran.code == 0, ran.err
    assert "7 FDDs would be touched" in ran.out
    ((asked, (request_id, taken, change, dry_run)),) = backend.asked
    assert (asked, request_id, taken, dry_run) == (action, ONE, body, True)
    assert change.reason == "asked"


def test_a_change_that_is_not_taken_says_why(backend: FakeBackend) -> None:
    backend.refusing = RefusedAction("retrigger", open_at="2025-11-03T12:30:00.000Z")
    ran = run(backend, "retrigger", ONE)
    assert ran.code == 1
    assert "it opens at 2025-11-03T12:30:00.000Z" in ran.err
    backend.refusing = None
    ran = run(backend, "pause", ONE, "--wait", "0")
    assert "command c1" in ran.out


def test_negatives_are_taken_listed_and_withdrawn(backend: FakeBackend, tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_bytes(b"number\n+919876500000\n+1\n")
    ran = run(backend, "negatives", ONE, str(path), "--reason", "asked")
    assert ran.code == 0, ran.err
    assert ran.out.split()[:2] == ["rows", "2"]
    ((_, (filename, rows, change, dry_run)),) = backend.asked
    assert (filename, rows, change.reason, dry_run) == (
        "n.csv", ["+919876500000", "+1"], "asked", False
    )  # fmt: skip
    assert "n.csv" in run(backend, "negatives", ONE).out
    for words, said in ((["--dry-run"], "would be"), ([], "is")):
        ran = run(backend, "negatives", ONE, "--withdraw", "+919876500000", *words)
        assert ran.out == f"+919876500000 {said} withdrawn\n"
        assert backend.asked[-1][1][3] is bool(words)
    assert run(backend, "negatives", ONE, "--withdraw", "+2").code == 1


@pytest.mark.parametrize("form", ["csv", "xlsx", "json"])
def test_a_report_is_written_whole(backend: FakeBackend, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"eod.{form}"
    ran = run(
        backend, "report", "--kind", "eod", "--day", made.DAY, "--request", ONE, "--format", form,
        "--output", str(path),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert backend.asked[-1] == ("report", ("eod", made.DAY, ONE))
    if form == "csv":
        assert path.read_text().splitlines()[0].startswith("day,request_id")
    elif form == "json":
        assert len(json.loads(path.read_bytes())["items"]) == 4
    else:
        sheet = openpyxl.load_workbook(path).active
        assert sheet is not None
        assert sheet.max_row == 5
    assert list(tmp_path.iterdir()) == [path]


def test_a_recount_with_a_difference_ends_with_1(backend: FakeBackend) -> None:
    ran = run(backend, "recount")
    assert (ran.code, ran.out) == (0, "3 campaigns, no differences\n")
    backend.differing = [Difference(ONE, made.DAY, "10:00-12:00", "outcome.completed", 7, 6)]
    ran = run(backend, "recount", ONE, "--repair")
    assert ran.code == 1
    assert "outcome.completed" in ran.out
    assert backend.asked[-1] == ("recount", (ONE, True))


def test_an_erasure_needs_a_number_and_a_reason(backend: FakeBackend) -> None:
    assert run(backend, "erase", "--reason", "r").code == 2
    assert run(backend, "erase", "--number", "+1").code == 2
    ran = run(backend, "erase", "--number", "+1", "--reason", "r")
    assert ran.code == 0
    assert backend.asked[0][1][0] == "+1"
    assert run(backend, "erase", "--number", "+1", "--older-than", "9d", "--reason", "r").code == 2
    assert run(backend, "erase", "--older-than", "90d", "--reason", "r").code == 0
    assert backend.asked[-1][1][0] == 90


def test_alerts_are_listed(backend: FakeBackend) -> None:
    assert "no alerts" in run(backend, "alerts").out
    backend.alerts.append({"since": "2025-11-03T06:30:00Z", "alert": "bad-slot", "text": "Slot 10"})
    assert "bad-slot" in run(backend, "alerts").out


def test_fdds_are_shown_found_and_explained(backend: FakeBackend) -> None:
    fdd = made.fdd(0, 2)
    with console(backend) as url:
        shown = sluice("fdds", "show", fdd["id"], server=url)
        found = sluice("fdds", "show", "--number", fdd["number"], server=url)
        why = sluice("fdds", "why", fdd["id"], server=url)
        nothing = sluice("fdds", "show", server=url)
        nobody = sluice("fdds", "why", "nobody", server=url)
    assert "OUT_OF_SLOT" in shown.out
    assert len(found.out.splitlines()) == 4
    assert "FAILED OUT_OF_SLOT" in why.out
    assert (nothing.code, nobody.code) == (2, 1)
