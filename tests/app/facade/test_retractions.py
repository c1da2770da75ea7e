"""An event is found by its id, read where it lies, and taken back."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.backend import RetractionRefused
from tests.app.facade.house import ME, Living, aggregator
from tests.app.facade.test_reconciliation import _flushes, after, audited, day, tell

BY_ID = aggregator(event_id="id")


def usage(account: str, event: Any, number: Any = 1) -> dict[str, Any]:
    return {"account": account, "id": event, "bytes": number}


async def refused(living: Living, event: object, group: dict[str, Any], name: str = "acc") -> str:
    with pytest.raises(RetractionRefused) as why:
        await living.facade.retract_event(name, event, group, ME)
    return str(why.value)


def test_an_event_is_taken_back_once_and_the_day_still_adds_up(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(BY_ID)
        await living.send(usage("a", "e1", 2), usage("a", "e2", 8), usage("b", "e3", 4))
        first = await living.facade.retract_event("acc", "e2", {}, ME)
        again = await living.facade.retract_event("acc", "e2", {}, ME)
        assert first is not None and again is not None
        assert (first.done, first.repeated, first.key) == (True, False, '["a"]')
        assert (again.id, again.repeated) == (first.id, True)
        await after(living, 1.1)
        flushes = [json.loads(text) for text in _flushes(living)]
        assert sum(flush["values"]["sum_bytes"] for flush in flushes) == 6
        assert [flush["id"] for flush in flushes if "retracts" in flush] == [first.id]
        assert await living.totals() == {"in": 2, "flushed": 2}
        _, by_name = await day(living, "2023-11-14")
        assert [(f.type, f.records) for f in by_name["acc"].flushes] == [
            ("COMMAND", 1), ("TIMEOUT", 1),  # the open session with two, and one taken back
        ]  # fmt: skip

    (told,) = audited(tell(tmp_path, story), "event_retracted")
    assert (told["actor"], told["reason"], told["event_id"]) == ("tester", "a test", "e2")


def test_an_id_that_several_sessions_counted_needs_its_group(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(BY_ID)
        await living.put(aggregator("other", event_id="id"))
        await living.send(usage("a", 5, 2), usage("b", 5, 3))
        assert '["a"], ["b"]' in await refused(living, 5, {})
        found = await living.facade.retract_event("acc", 5, {"account": "b"}, ME)
        assert found is not None and found.key == '["b"]'
        assert await living.totals() == {"in": 1, "open": 1}  # flushed, and taken back
        assert await living.totals("other") == {"in": 2, "open": 2}

    tell(tmp_path, story)


def test_what_can_not_be_taken_back_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(BY_ID)
        await living.put(aggregator("plain"))
        largest = [{"field": "bytes", "operation": "max", "as": "largest"}]
        await living.put(aggregator("max", event_id="id", aggregate=largest))
        await living.send(usage("a", "e1"))
        assert "no event_id" in await refused(living, "e1", {}, "plain")
        assert "correct largest" in await refused(living, "e1", {}, "max")
        assert "no event of that id" in await refused(living, "e9", {})
        assert "no event of that id" in await refused(living, "e1", {"account": "z"})
        assert await living.facade.retract_event("unknown", "e1", {}, ME) is None
        assert await living.totals() == {"in": 1, "open": 1}

    tell(tmp_path, story)


def test_what_taking_back_would_do_is_told_and_nothing_done(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(BY_ID)
        await living.put(aggregator("plain"))
        await living.send(usage("a", 5, 2), usage("b", 5, 3), usage("c", "e1", 4))
        find = living.facade.find_retractable
        for _ in range(2):
            found = await find("acc", 5, {"account": "b"})
            assert found is not None
            assert (found.key, found.repeated, json.loads(found.value)) == (
                '["b"]', False, usage("b", 5, 3),
            )  # fmt: skip
            assert (found.topic, found.aggregator) == ("usage", "acc")
            assert (found.session_records, found.session_id is not None) == (1, True)
        for event, group, why in ((5, {}, '["a"], ["b"]'), ("e9", {}, "no event of that id")):
            with pytest.raises(RetractionRefused, match=re.escape(why)):
                await find("acc", event, group)
        assert await find("unknown", 5, {}) is None
        assert await living.totals() == {"in": 3, "open": 3}
        done = await living.facade.retract_event("acc", 5, {"account": "b"}, ME)
        again = await find("acc", 5, {"account": "b"})
        assert found is not None and done is not None and again is not None
        assert (done.id, again.id, again.repeated) == (found.id, found.id, True)
        assert (again.session_id, again.session_records) == (None, 0)
        ids = [json.loads(text)["id"] for text in _flushes(living)]
        assert ids == [found.session_id, found.id]  # exactly what was told

    assert len(audited(tell(tmp_path, story), "event_retracted")) == 1


def test_a_session_that_counted_the_event_and_has_flushed_is_not_flushed_again(
    tmp_path: Path,
) -> None:
    async def story(living: Living) -> None:
        await living.put(BY_ID)
        await living.send(usage("a", "e1", 2))
        await after(living, 1.1)
        await living.send(usage("a", "e2", 3))
        found = await living.facade.find_retractable("acc", "e1", {})
        other = await living.facade.find_retractable("acc", "e2", {})
        assert found is not None and other is not None
        assert (found.session_id, other.session_records) == (None, 1)
        await living.facade.retract_event("acc", "e1", {}, ME)
        assert await living.totals() == {"in": 1, "open": 1}

    tell(tmp_path, story)


def test_what_carries_values_and_ids_that_are_none_are_refused(tmp_path: Path) -> None:
    operations = ("carry_first", "carry_last", "first", "last", "unique_count")
    aggregate = [{"field": "bytes", "operation": one} for one in operations]

    async def story(living: Living) -> None:
        await living.put(aggregator(event_id="id", aggregate=aggregate))
        await living.send(usage("a", "e1"))
        why = await refused(living, "e1", {})
        assert all(f"{one}_bytes" in why for one in operations)
        assert "1,000 digits" in await refused(living, int("9" * 1001), {})

    tell(tmp_path, story)
