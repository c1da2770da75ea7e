"""Files through kills at any step: complete ones have every record once, in order."""

import asyncio
import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sinks.files import Folder, JsonLines
from connectors.streams.memory import Killed
from domain.sinks.rotation import read_name
from tests.agents.sinks.test_delivery_histories import FATES, records
from tests.agents.sinks.world import Lanes, World

STEPS = ("prepare", "clean", "begin", "has", "complete")


@contextmanager
def killed_at(numbers: set[int]) -> Iterator[None]:
    """Ends the process when it comes to the n-th step on the disk: even n before, odd n after."""
    count = itertools.count()

    def at_risk(function: Any) -> Any:
        def wrapper(*args: Any) -> Any:
            number = next(count)
            if number in numbers and number % 2 == 0:
                raise Killed(f"before {function.__name__}")
            found = function(*args)
            if number in numbers:
                raise Killed(f"after {function.__name__}")
            return found

        return wrapper

    with (
        patch.multiple(Folder, **{name: at_risk(getattr(Folder, name)) for name in STEPS}),
        patch.object(JsonLines, "finish", at_risk(JsonLines.finish)),
        # kill -9 deletes nothing
        patch.object(JsonLines, "drop", lambda part: part._file.close()),
    ):
        yield


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "fates": [draw(st.lists(st.sampled_from(FATES), max_size=12)) for _ in range(2)],
        "disk": draw(st.sets(st.integers(0, 30), max_size=4)),
        "kills": draw(st.dictionaries(st.integers(0, 25), st.integers(0, 2), max_size=4)),
        "records": draw(st.integers(1, 5)),
        "taken_away": draw(st.booleans()),
        "order": draw(st.integers(0, 1)),
    }


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_complete_files_have_every_record_once_and_in_order(history: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(history, Path(folder)))


async def play(history: dict[str, Any], folder: Path) -> None:
    values = [records(p, fates) for p, fates in enumerate(history["fates"])]
    world = World(folder, None, history["kills"])
    coming = [(partition, value) for partition, part in enumerate(values) for value in part]
    coming.sort(key=lambda each: hash(each[0]) ^ history["order"])
    out, gone = folder / "out", folder / "gone"
    gone.mkdir()
    rotate = {"records": history["records"], "seconds": 60}
    world.apply(name="s", aggregator="mine", files={"path": str(out), "rotate": rotate})
    reads = itertools.count()

    def until(lanes: Lanes) -> bool:
        number = next(reads)
        if coming and number % 3 == 0:  # while a file waits for its time, more comes
            partition, value = coming.pop(0)
            world.put(partition, [value])
        if number % 7 == 6:
            world.clock.advance(60_000)
        if history["taken_away"] and out.exists():  # whoever reads them moves them away
            for path in out.glob("*.jsonl"):
                found = read_name(path.name)
                key = ("s", "aggregates", int(path.name.split(".")[2][:5]))
                place = next((ln.place for _, ln in lanes.lines() if ln.key == key), None)
                if found is not None and place is not None and place.next >= found[2]:
                    path.rename(gone / path.name)
        return not coming and world._delivered(lanes)

    with killed_at(history["disk"]):
        await world.live(until)
    wanted = [v["id"] for part in values for v in part if isinstance(v, dict)]
    mine = [one for one in wanted if one.startswith(("send", "repeat", "poison"))]
    files = sorted([*out.glob("*.jsonl"), *gone.glob("*.jsonl")], key=lambda path: path.name)
    lines = [json.loads(line)["id"] for path in files for line in path.read_text().splitlines()]
    assert lines == list(dict.fromkeys(mine))
    assert len({path.name for path in files}) == len(files)
    ranges = [(found[0], *found[1:]) for path in files if (found := read_name(path.name))]
    for (stem, _, end), (other, first, _) in itertools.pairwise(ranges):
        assert stem != other or end <= first


def test_a_file_is_complete_when_its_time_is_over_by_the_product_s_clock(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(0, [{"id": "a"}])
    out = tmp_path / "out"
    rotate = {"seconds": 3600}
    world.apply(name="s", files={"path": str(out), "rotate": rotate})

    def opened(lanes: Lanes) -> bool:
        return bool(out.exists() and list(out.glob(".*.part")))

    async def run() -> None:
        await world.live(opened)
        world.clock.advance(3_600_000)
        assert not list(out.glob("*.jsonl"))

        def until(lanes: Lanes) -> bool:
            if opened(lanes):
                world.clock.advance(1_000_000)
            return world._delivered(lanes)

        await world.live(until)

    asyncio.run(run())
    (path,) = out.glob("*.jsonl")
    assert path.read_text() == '{"id": "a"}\n'


def test_a_parquet_file_has_the_columns_and_what_fits_none_is_a_letter(tmp_path: Path) -> None:
    world = World(tmp_path)
    good: dict[str, Any] = {"id": "a", "values": {"sum": 3}, "at": "2024-09-01T00:00:00Z"}
    world.put(0, [good, {**good, "id": "b", "values": {"sum": "x"}}, {"id": "c"}])
    columns = {
        "total": {"path": "values.sum", "type": "number"},
        "id": "id",
        "at": {"path": "at", "type": "instant"},
    }
    out = tmp_path / "out"
    files = {"path": str(out), "format": "parquet", "columns": columns, "rotate": {"records": 2}}
    world.apply(name="s", files=files)
    asyncio.run(world.live())
    (path,) = out.glob("*.parquet")
    rows = pyarrow.parquet.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == ["a", "c"]
    assert str(rows[0]["total"]) == "3.000000000000"
    assert rows[0]["at"].isoformat() == "2024-09-01T00:00:00+00:00"
    assert [letter["record"] for letter in world.letters()] == ["b"]


def test_a_folder_that_can_t_be_written_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(0, [{"id": "a"}])
    out = tmp_path / "out"
    out.write_text("a file is in the way")
    world.apply(name="s", files={"path": str(out), "rotate": {"records": 1}})

    def until(lanes: Lanes) -> bool:
        troubles = [line.trouble for _, line in lanes.lines() if line.trouble is not None]
        if out.is_file() and any(trouble.attempts > 2 for trouble in troubles):
            assert "out" in troubles[0].detail
            out.unlink()
        return world._delivered(lanes)

    asyncio.run(world.live(until))
    assert len(list(out.glob("*.jsonl"))) == 1
