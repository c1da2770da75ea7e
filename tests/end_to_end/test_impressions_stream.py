"""Impressions by themselves in the stream: files found, events, kills; on each stream and S3."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.impressions.load import undo_load
from agents.impressions.store import Store
from agents.impressions.strays import unknown
from config.clock import SystemClock
from connectors.files.base import Files
from domain.impressions.layout import DIMENSION, JOINED, PARTITIONED, TABLES, UPDATED
from tests.agents.impressions.kit import check_table, packed
from tests.contracts.files import Tree, tree
from tests.end_to_end.running import Sluice
from tests.waiting import until

TOPIC = "impression-events"


def rows(number: int, count: int = 60) -> bytes:
    return packed(
        *(f"11/0{1 + i % 2}/2025,{number}-{i},c{i % 4},v,{1 / (i + 2)!r}" for i in range(count))
    )


def dimension(mark: str, *changed: int) -> bytes:
    lines = [f"c{i},{mark if i in changed else 'old'}{i}" for i in range(4)]
    return ("campaign_id,name\n" + "\n".join(lines) + "\n").encode()


FOLDER, S3, KAFKA = ("folder", "embedded"), ("s3_url", "embedded"), ("s3_url", "kafka")
LONG = pytest.mark.faults
on_kafka = pytest.mark.parametrize(
    "world",
    [pytest.param(FOLDER, marks=LONG), pytest.param(S3, marks=LONG), KAFKA],
    indirect=True,
    ids=["folder", "s3", "kafka"],
)
in_a_folder = pytest.mark.parametrize(
    "world",
    [FOLDER, pytest.param(S3, marks=LONG), pytest.param(KAFKA, marks=LONG)],
    indirect=True,
    ids=["folder", "s3", "kafka"],
)
all_long = pytest.mark.parametrize(
    "world",
    [pytest.param(place, marks=LONG) for place in (FOLDER, S3, KAFKA)],
    indirect=True,
    ids=["folder", "s3", "kafka"],
)


class World:
    """A worker of all roles; its files are in `files`, below `address`."""

    def __init__(self, folder: Path, place: Tree, stream: str) -> None:
        self.files: Files = place.open()
        self.address = place.address
        environ = {
            "SLUICE_TABLES_ROOT": place.address,
            "SLUICE_IMPRESSIONS_POLL": "0.2",
            "SLUICE_STREAM": stream,
            "SLUICE_APP_ID": f"imp{abs(hash(str(folder))) % 10**8}",
            "SLUICE_TOPIC_PREFIX": f"imp{abs(hash(str(folder))) % 10**8}.",
        }
        if place.address.startswith("s3://"):
            environ["SLUICE_S3_ENDPOINT"] = place.access.endpoint
            environ["SLUICE_S3_REGION"] = place.access.region
            environ["SLUICE_S3_ACCESS_KEY"] = place.access.access_key
            environ["SLUICE_S3_SECRET_KEY"] = place.access.secret_key
        words = ("up", "--no-examples") if stream == "embedded://" else ("worker", "--role", "all")
        self.sluice = Sluice(folder / "sluice", words, environ)

    def put(self, name: str, content: bytes) -> str:
        """A new object; its address."""
        writing = self.files.write(name)
        writing.write(content)
        writing.place()
        return f"{self.files.where}/{name}"

    def ask(self, kind: str, file: str) -> None:
        answer = self.sluice.send([{"type": kind, "file": file}], TOPIC)
        assert answer.status == 202

    def events(self, **where: Any) -> list[dict[str, Any]]:
        """What was sent about steps."""
        every = [one for one in self.sluice.records(TOPIC) if one["type"] == "status"]
        return [one for one in every if all(one[name] == value for name, value in where.items())]

    def done(self, file: str) -> bool:
        return bool(self.events(file=file, step="", state="done"))

    def version(self, table: str) -> int:
        return Store(self.files).manifest(table)[0].version


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    place, stream = request.param
    request.param = place
    address = request.getfixturevalue("kafka") if stream == "kafka" else "embedded://"
    made = World(tmp_path, tree(request, tmp_path), address)
    yield made
    made.sluice.close()


@on_kafka
def test_files_found_and_events_become_tables(world: World) -> None:
    sluice = world.sluice.start()
    first = world.put("incoming/day1.csv.gz", rows(1))
    until(lambda: world.done(first), 60)
    assert check_table(world.files, PARTITIONED).manifest.rows == 60
    assert world.version(JOINED) == 0  # there is no dimension yet

    known = world.put("dim1.csv", dimension("x"))
    world.ask("dimension", known)
    until(lambda: world.done(known), 60)
    assert check_table(world.files, JOINED).manifest.unmatched == 0
    assert check_table(world.files, UPDATED).manifest.rows == 60

    second = world.put("day2.csv.gz", rows(2))
    until(lambda: world.done(second), 60)
    changed = world.put("dim2.csv", dimension("y", 1))
    world.ask("dimension", changed)
    until(lambda: world.done(changed), 60)
    assert [check_table(world.files, table).manifest.rows for table in (JOINED, UPDATED)] == [
        120
    ] * 2
    (updated,) = world.events(file=changed, step="update", state="done")
    assert updated["rows"] == 120
    assert updated["files"] < len(check_table(world.files, UPDATED).files)
    steps = [one["step"] for one in world.events(file=second, state="done")]
    assert steps == ["partition", "join", "update", ""]
    assert sluice.get("/api/impressions/loads").body["items"][0]["file"] == second


@all_long
def test_a_restart_loads_nothing_again_nor_what_was_undone(world: World) -> None:
    sluice = world.sluice.start()
    bad = world.put("bad.csv.gz", rows(7)[:-9])
    until(lambda: world.events(file=bad, state="failed"), 60)
    files = [world.put(f"day{n}.csv.gz", rows(n)) for n in range(2)]
    until(lambda: all(map(world.done, files)), 60)
    version = world.version(PARTITIONED)
    loads = sluice.get("/api/impressions/loads").body["items"]
    load = next(one["load"] for one in loads if one["file"] == files[0])
    sluice.kill()
    undo_load(world.files, SystemClock(), load)
    sluice.start()
    third = world.put("day3.csv.gz", rows(3))
    until(lambda: world.done(third), 60)
    assert world.version(PARTITIONED) == version + 2
    assert check_table(world.files, PARTITIONED).manifest.rows == 120
    assert len(world.events(file=bad, state="failed")) == 1


def killed_within(
    world: World, table: str, step: str, file: str, ask: Callable[[], object]
) -> None:
    """Kills the worker once the step has put some files into its table."""
    below = f"tables/{table}/"
    before = sum(1 for _ in world.files.list(below))
    ask()

    def within() -> bool:
        begun = bool(world.events(file=file, step=step, state="running"))
        return begun and sum(1 for _ in world.files.list(below)) > before + 5

    until(within, 60)
    world.sluice.kill()


@in_a_folder
def test_killed_within_a_step_it_goes_on_there(world: World) -> None:
    sluice = world.sluice.start()
    known = world.put("dim1.csv", dimension("x"))
    world.ask("dimension", known)
    until(lambda: world.done(known), 60)
    day = f"{world.files.where}/day1.csv.gz"
    killed_within(
        world, PARTITIONED, "partition", day, lambda: world.put("day1.csv.gz", rows(1, 3000))
    )
    sluice.start()
    until(lambda: world.done(day), 60)
    check_table(world.files, JOINED)
    second = f"{world.files.where}/day2.csv.gz"
    killed_within(world, JOINED, "join", second, lambda: world.put("day2.csv.gz", rows(2, 3000)))
    sluice.start()
    until(lambda: world.done(second), 60)
    changed = world.put("dim2.csv", dimension("y", 1, 2, 3))
    killed_within(world, UPDATED, "update", changed, lambda: world.ask("dimension", changed))
    sluice.start()
    until(lambda: world.done(changed), 60)
    for table in TABLES:
        assert check_table(world.files, table).manifest.rows == 6000
        assert list(unknown(Store(world.files), table)) == []
        assert not world.files.stat(f"tables/{table}/lock.json")
    assert Store(world.files).manifest(DIMENSION)[0].dimension == 2
    # what was done before the kill was not begun again
    for file, step in ((second, "partition"), (changed, "dimension")):
        assert len(world.events(file=file, step=step, state="running")) == 1
    for file, step in ((day, "partition"), (second, "join"), (changed, "update")):
        assert len(world.events(file=file, step=step, state="running")) == 2


@all_long
def test_events_that_ask_for_nothing_are_dead_letters(world: World) -> None:
    sluice = world.sluice.start()
    sluice.send([{"type": "load"}, {"type": "what", "file": "s3://a/b"},
                 {"type": "load", "file": "/etc/passwd"}], TOPIC)  # fmt: skip
    gone = f"{world.address}/gone.csv.gz"
    world.ask("load", gone)
    until(lambda: world.events(file=gone, state="failed"), 60)
    letters = sluice.get("/api/dead-letters").body["items"]
    assert [one["reason"] for one in letters] == ["bad_event"] * 3
