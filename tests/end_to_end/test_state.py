"""`sluice state`: backups of a process at work and of one that stands, put back and recounted."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from app.state import backup, restore
from config.settings import Settings
from tests.app.cli.running import Ran, sluice_process
from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Sluice]:
    """A process with an aggregator in force."""
    made = Sluice(tmp_path / "one").start()
    made.apply(aggregator())
    yield made
    made.close()


def state(action: str, *words: str | Path, at: Sluice, data: Path | None = None) -> Ran:
    """Runs `sluice state` on the process's folder."""
    where: list[str | Path] = ["--data-dir", data or at.folder / "data", "--server", at.url]
    return sluice_process("state", action, *words, *where)


def send(to: Sluice, count: int, first: int = 0) -> None:
    assert to.send([{"account": f"a{n % 7}", "bytes": n} for n in range(first, first + count)])


def applied(at: Sluice, count: int) -> None:
    until(lambda: at.totals() == {"in": count, "open": count})


def test_a_process_at_work_is_backed_up_and_goes_on_from_there_in_another_folder(
    one: Sluice, tmp_path: Path
) -> None:
    send(one, 50)
    applied(one, 50)
    done = Event()
    sent = [50]

    def pour() -> None:
        while not done.is_set():
            send(one, 20, sent[0])
            sent[0] += 20

    pouring = Thread(target=pour)
    pouring.start()
    try:
        ran = state("backup", tmp_path / "b", at=one)
    finally:
        done.set()
        pouring.join()
    assert (ran.code, ran.err) == (0, ""), ran.err
    assert state("verify", tmp_path / "b", at=one).code == 0
    applied(one, sent[0])
    one.kill()

    other = Sluice(tmp_path / "two")
    ran = state("restore", tmp_path / "b", at=one, data=other.folder / "data")
    assert ran.code == 0, ran.err
    try:
        other.start()
        backed_up = len(other.records("usage"))
        assert 50 <= backed_up <= sent[0]
        applied(other, backed_up)
        send(other, 5)
        applied(other, backed_up + 5)
        assert other.stop() == 0
        assert state("verify", at=other).code == 0
    finally:
        other.close()


def test_a_process_that_stands_is_backed_up_and_put_back_over_what_came_later(
    one: Sluice, tmp_path: Path
) -> None:
    send(one, 30)
    applied(one, 30)
    assert one.stop() == 0
    assert state("backup", tmp_path / "b", at=one).code == 0
    one.start()
    send(one, 30)
    applied(one, 60)
    ran = state("restore", tmp_path / "b", "--replace", at=one)
    assert ran.code == 2
    assert "in use by another process" in ran.err
    one.kill()
    ran = state("restore", tmp_path / "b", at=one)
    assert ran.code == 2
    assert "is there already" in ran.err
    ran = state("restore", tmp_path / "b", "--replace", at=one)
    assert ran.code == 0, ran.err
    assert ran.err.count("before-restore-1") == 2
    one.start()
    applied(one, 30)
    assert {each["values"]["count"] for each in one.get(SESSIONS).body["items"]} <= {4, 5}


SESSIONS = "/api/aggregators/acc/sessions"


def test_a_backup_that_was_altered_is_refused(one: Sluice, tmp_path: Path) -> None:
    assert state("backup", tmp_path / "b", at=one).code == 0
    documents = tmp_path / "b" / backup.DOCUMENTS
    documents.write_bytes(documents.read_bytes().replace(b"bytes", b"bites"))
    for action in ("verify", "restore"):
        ran = state(action, tmp_path / "b", at=one, data=tmp_path / "data")
        assert ran.code == 1
        assert "documents.jsonl is not as it was backed up" in ran.err
    ran = state("verify", tmp_path, at=one)
    assert ran.code == 1
    assert "is no backup of sluice" in ran.err


def test_a_process_killed_while_it_backs_up_leaves_no_backup_and_loses_nothing(
    one: Sluice, tmp_path: Path
) -> None:
    send(one, 30)
    applied(one, 30)
    backups = one.folder / "data" / "backups"
    caught = Event()

    def kill() -> None:
        until(lambda: list(backups.glob("*.part")), 20)
        one.kill()
        caught.set()

    killer = Thread(target=kill)
    killer.start()
    while not caught.is_set():
        state("backup", tmp_path / f"b{len(list(tmp_path.iterdir()))}", at=one)
    killer.join()
    one.start()
    applied(one, 30)
    assert state("backup", tmp_path / "last", at=one).code == 0
    assert not list(backups.glob("*.part"))
    assert state("verify", tmp_path / "last", at=one).code == 0


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the `data` of a process that was killed, 40 records, and its backup `b`, 20."""
    folder = tmp_path_factory.mktemp("backed-up")
    made = Sluice(folder)
    try:
        made.start()
        made.apply(aggregator())
        send(made, 20)
        applied(made, 20)
        assert state("backup", folder / "b", at=made).code == 0
        send(made, 20)
        applied(made, 40)
    finally:
        made.close()
    return folder


@pytest.mark.parametrize("n", range(1, 5))
def test_a_restore_killed_anywhere_leaves_what_is_right_and_is_finished_by_another(
    backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    one = Sluice(tmp_path / "one")
    shutil.copytree(backed_up / "data", one.folder / "data")
    folder, settings = backed_up / "b", Settings(data_dir=one.folder / "data")
    manifest = backup.read(folder)
    passed = [0]

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            passed[0] += 1
            if passed[0] == n:
                raise Killed
            return function(*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", counted(Path.rename))
        patched.setattr(Path, "replace", counted(Path.replace))
        patched.setattr(os, "link", counted(os.link))
        with pytest.raises(Killed):
            restore.restore(folder, manifest, settings, replace=True)
    assert passed[0] == n
    as_left = tmp_path / "left"
    shutil.copytree(one.folder / "data", as_left / "data")
    left = Sluice(as_left)
    try:
        left.start()
        applied(left, 40 if n < 4 else 20)
    finally:
        left.close()
    restore.restore(folder, manifest, settings, replace=True)
    try:
        one.start()
        applied(one, 20)
    finally:
        one.close()


def test_an_account_is_erased_and_its_records_stay_counted(one: Sluice) -> None:
    send(one, 14)
    applied(one, 14)
    words = ("erase", "acc", "account=a1", "--server", one.url)
    ran = sluice_process(*words, "--dry-run")
    assert (ran.code, ran.out) == (
        0, "1 session with 2 records, 2 source records would be erased; nothing was changed\n",
    )  # fmt: skip
    ran = sluice_process(*words, "--reason", "asked by the customer")
    assert ran.code == 0, ran.err
    until(lambda: one.totals() == {"in": 14, "open": 12, "deleted": 2})
    rows = one.get("/api/tables/sessions").body["items"]
    assert len(rows) == 6
    assert not any("a1" in row["key"] for row in rows)
    assert sluice_process(*words, "--dry-run").code == 1
    assert state("verify", at=one).code == 0
