"""What lies in the data directory."""

import asyncio
from pathlib import Path

import msgspec

from app.facade.erasing import PREFIX, Erasing
from config.clock import SystemClock
from connectors.streams.base import TopicSpec
from connectors.streams.embedded.log import EmbeddedLog
from tables.layout import FORMAT, encode
from tables.store import RocksStore
from tests.app.cli.test_topics import held
from tests.app.doctor.kit import doctor, fault, found, wrong
from tests.end_to_end.running import Sluice, aggregator


def shard(folder: Path, number: int, format: int) -> Path:
    """A store of sessions as a worker leaves it."""
    path = folder / "tables" / "sluice" / f"sessions-{number}"
    store = RocksStore(path, 8 << 20, durable=False)
    store.write([(FORMAT, encode([format, b""])), (b"skey", b"row")])
    store.flush()
    store.close()
    return path


def embedded(folder: Path) -> Path:
    """An embedded log; returns its file."""

    async def make() -> None:
        log = EmbeddedLog(folder / "log", SystemClock())
        await log.start()
        await log.stop()

    asyncio.run(make())
    return folder / "log" / "log.sqlite"


def test_state_of_this_version_is_well_and_stays_as_it_is(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, 1)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    ran = doctor(tmp_path)
    assert wrong(ran) == set()
    assert "1 shards" in next(c for c in ran.json["checks"] if c["name"] == "state")["detail"]
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


@fault("state of a later format")
def test_later_state(tmp_path: Path) -> None:
    path = shard(tmp_path, 3, 7)
    check = found(doctor(tmp_path), "state", f"{path} is of format 7")
    assert "start that version" in check["todo"]


@fault("damaged store")
def test_a_damaged_store(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, 1)
    (path / "CURRENT").write_text("MANIFEST-999999\n")
    check = found(doctor(tmp_path), "state", str(path))
    assert "builds it again from its changelog" in check["todo"]


def test_a_store_that_lost_a_file_is_damaged(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, 1)
    for file in path.glob("*.sst"):
        file.unlink()
    found(doctor(tmp_path), "state", str(path))


@fault("damaged embedded log")
def test_a_damaged_log(tmp_path: Path) -> None:
    path = embedded(tmp_path)
    assert wrong(doctor(tmp_path)) == set()
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    check = found(doctor(tmp_path), "stream", f"{path} is damaged")
    assert "sluice state restore" in check["todo"]


@fault("data directory in use by another process")
def test_a_folder_in_use(tmp_path: Path) -> None:
    with held(tmp_path):
        ran = doctor(tmp_path)
    assert "SLUICE_SERVER" in found(ran, "stream", "is in use by a process")["todo"]


@fault("worker stopped by the limit of dead letters")
def test_the_limit_of_dead_letters(tmp_path: Path) -> None:
    up = Sluice(tmp_path, environ={"SLUICE_DEAD_LETTER_STREAK": "5"}).start()
    try:
        assert up.apply(aggregator()).body["in_force"]
        up.send([{"account": "a", "bytes": "many"}] * 50)
        assert up.ended() == 1
        data = tmp_path / "data"
        check = found(doctor(data), "last stop", "were refused for acc")
        assert "SLUICE_DEAD_LETTER_STREAK=0" in check["todo"]
    finally:
        up.close()


@fault("erasure begun that nobody finishes")
def test_an_unfinished_erasure(tmp_path: Path) -> None:
    """Noted before anything is erased, by a process that was killed; no value is told."""
    message = b'{"group": {"account": "acc-secret"}, "actor": "ada", "reason": "asked"}'
    note = Erasing("c-1", "acc", "w-1", 1_762_128_000_000, "", "", message)
    over = msgspec.structs.replace(note, id="c-2")

    async def make() -> None:
        log = EmbeddedLog(tmp_path / "log", SystemClock())
        await log.start()
        await log.ensure_topic(TopicSpec("sluice-requests", 4))
        rows = [(PREFIX + each.id.encode(), msgspec.json.encode(each), None, ())
                for each in (note, over)]  # fmt: skip
        await log.append("sluice-requests", 2, [*rows, (PREFIX + b"c-2", None, None, ())])
        await log.stop()

    asyncio.run(make())
    ran = doctor(tmp_path)
    check = found(ran, "erasure-unfinished", "command c-1 (by account) was begun at 2025-11-03")
    assert "console" in check["todo"] and "acc-secret" not in ran.out
    assert "c-2" not in ran.out
