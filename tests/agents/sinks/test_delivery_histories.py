"""Whatever a target and kills do, every record gets there, in order, and the counts are exact."""

import asyncio
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.sinks.document import Sink
from tables.sinks import Counts
from tests.agents.sinks.world import Hook, Lanes, Table, World, totals

STEPS = ["take", "take", "take", "later", "took, then later", "kill", "took, then kill"]
FATES = ["send", "send", "send", "other", "repeat", "poison", "broken"]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "fates": [draw(st.lists(st.sampled_from(FATES), max_size=9)) for _ in range(2)],
        "script": draw(st.lists(st.sampled_from(STEPS), max_size=12)),
        "kills": draw(st.dictionaries(st.integers(0, 25), st.integers(0, 2), max_size=4)),
        "table": draw(st.booleans()),
        "batch": draw(st.integers(1, 4)),
        "index_lost": draw(st.booleans()),
    }


def records(partition: int, fates: list[str]) -> list[dict[str, Any] | bytes]:
    found: list[dict[str, Any] | bytes] = []
    for number, fate in enumerate(fates):
        value: dict[str, Any] | bytes = {
            "id": f"{fate}-{partition}-{number}",
            "aggregator": "other" if fate == "other" else "mine",
        }
        if fate == "broken":
            value = b"no JSON"
        sent = [v for v in found if isinstance(v, dict) and v["id"].startswith("send")]
        if fate == "repeat" and sent:
            value = sent[-1]
        found.append(value)
    return found


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_every_record_gets_there_and_the_counts_are_exact(history: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(history, Path(folder)))


async def play(history: dict[str, Any], folder: Path) -> None:
    values = [records(p, fates) for p, fates in enumerate(history["fates"])]
    ids = [[v["id"] for v in part if isinstance(v, dict)] for part in values]
    poison = frozenset(one for part in ids for one in part if one.startswith("poison"))
    script = iter(history["script"])
    kind = Table if history["table"] else Hook
    targets = [kind(script, poison) for _ in values]

    def target(_sink: Sink, partition: int) -> Hook:
        return targets[partition]

    world = World(folder, target, history["kills"])
    for partition, part in enumerate(values):
        world.put(partition, part)
    world.apply(
        name="s", aggregator="mine", mysql={"url": "X", "table": "t", "batch": {
            "records": history["batch"], "seconds": 0}},
    )  # fmt: skip
    seen: list[Counts] = []

    def until(lanes: Lanes) -> bool:
        done = world._delivered(lanes)
        if done:
            seen.append(totals(lanes, "s"))
        return done

    await world.live(until, index_lost=history["index_lost"])
    wanted = [[one for one in part if one.startswith(("send", "repeat"))] for part in ids]
    for found, want, hook in zip(targets, wanted, targets, strict=True):
        first_seen = list(dict.fromkeys(record.id for record in found.got))
        assert first_seen == list(dict.fromkeys(want))
        contents = {record.id: record.value for record in found.got}
        assert all(contents[record.id] == record.value for record in found.got)
        if isinstance(hook, Table):
            assert len(found.got) == len(first_seen), "a table's rows are written once"
    broken = sum(isinstance(v, bytes) for part in values for v in part)
    repeated = sum(len(part) - len(set(part)) for part in wanted)
    assert seen[-1] == Counts(
        accepted=sum(map(len, wanted)) - repeated,
        refused=len(poison) + broken,
        passed=sum(one.startswith("other") for part in ids for one in part),
        repeated=repeated,
    )
    letters = world.letters()
    assert sorted(each["record"] for each in letters if each["record"]) == sorted(poison)
    assert len(letters) == len(poison) + broken


def test_a_record_given_up_is_a_letter_and_the_next_goes_on(tmp_path: Path) -> None:
    hook = Hook(iter(["later"] * 3), frozenset())
    world = World(tmp_path, lambda _sink, _partition: hook)
    world.put(0, [{"id": "a"}, {"id": "b"}])
    retry = {"first": "10ms", "most": "10ms", "times": 3}
    world.apply(name="s", http={"url": "http://127.0.0.1:1", "secret": "S"}, retry=retry)
    asyncio.run(world.live())
    (letter,) = world.letters()
    assert (letter["record"], letter["reason"]) == ("a", "gave_up")
    assert [record.id for record in hook.got] == ["b"]


def test_a_sink_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    scripts = {"good": iter(()), "bad": itertools.repeat("later")}
    hooks = {name: Hook(script, frozenset()) for name, script in scripts.items()}
    world = World(tmp_path, lambda sink, _partition: hooks[sink.name])
    world.put(0, [{"id": str(n)} for n in range(50)])
    for name in hooks:
        world.apply(name=name, http={"url": "http://127.0.0.1:1", "secret": "S"})
    asyncio.run(world.live(lambda _lanes: len(hooks["good"].got) == 50))
    assert hooks["bad"].got == []


def test_a_new_sink_begins_where_it_is_told(tmp_path: Path) -> None:
    hooks = {name: Hook(iter(()), frozenset()) for name in ("beginning", "end")}
    world = World(tmp_path, lambda sink, _partition: hooks[sink.name])
    world.put(0, [{"id": "old"}])
    rows = world.log.rows["aggregates", 0]
    rows[0] = (0, rows[0][1] - 1, *rows[0][2:])
    for name in ("beginning", "end"):
        world.apply(name=name, **{"from": name}, http={"url": "http://127.0.0.1:1", "secret": "S"})
    asyncio.run(world.live())
    world.put(0, [{"id": "new"}])
    asyncio.run(world.live())
    assert [record.id for record in hooks["beginning"].got] == ["old", "new"]
    assert [record.id for record in hooks["end"].got] == ["new"]


def test_a_record_asked_for_again_is_sent_again_one_repeated_by_itself_is_not(
    tmp_path: Path,
) -> None:
    hook = Hook(iter(()), frozenset())
    world = World(tmp_path, lambda _sink, _partition: hook)
    world.put(0, [{"id": "a"}, {"id": "a"}, {"id": "a"}])
    rows = world.log.rows["aggregates", 0]
    rows[2] = (*rows[2][:4], (("sluice-sent-again", b""),))
    world.apply(name="s", http={"url": "http://127.0.0.1:1", "secret": "S"})
    asyncio.run(world.live())
    assert [record.offset for record in hook.got] == [0, 2]


def test_the_sink_tells_which_ids_its_target_has(tmp_path: Path) -> None:
    hook = Hook(iter(["take", "take", *["later"] * 10_000]), frozenset({"bad"}))
    world = World(tmp_path, lambda _sink, _partition: hook)
    world.put(1, [{"id": "a"}, {"id": "bad"}, {"id": "b"}])
    world.apply(
        name="s",
        http={"url": "http://127.0.0.1:1", "secret": "S", "batch": {"records": 2, "seconds": 0}},
    )
    told: dict[str, Any] = {}

    async def run() -> None:
        looked: list[asyncio.Task[dict[str, Any]]] = []

        def until(lanes: Lanes) -> bool:
            places = [line.place for _, line in lanes.lines() if line.kit.partition == 1]
            if places and places[0] is not None and places[0].next == 2 and not looked:
                looked.append(asyncio.ensure_future(lanes.taken("s", ["a", "bad", "b", "none"])))
            return bool(looked) and looked[0].done()

        await world.live(until)
        told.update(looked[0].result())

    asyncio.run(run())
    assert {one: each["state"] for one, each in told.items()} == {
        "a": "taken", "bad": "refused", "b": "waiting",
    }  # fmt: skip
    assert json.dumps(told["a"]) == '{"partition": 1, "offset": 0, "state": "taken"}'
