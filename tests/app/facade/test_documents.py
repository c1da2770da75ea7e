"""Changes of documents: durable, numbered, and in force when every live worker has them."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.documents import Refused, refuse_internal
from app.backend import IdempotencyConflict, Unavailable
from app.facade import documents
from app.shapes import Change, Changed
from app.trail.by_topic import teller
from app.trail.entry import Wanted
from app.trail.trail import TopicTrail
from config.documents.base import DocumentError
from config.documents.registry import load_document
from domain.aggregation.flush import to_json
from tests.app.facade.house import ME, NAMES, House, Living, aggregator
from tests.app.facade.test_appends import beat
from tests.waiting import auntil

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            await story(living)

    asyncio.run(work())


def test_each_change_is_a_version_with_who_and_why(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        assert await living.put(aggregator()) == Changed(1, True, created=True)
        assert await living.put(aggregator(ttl_days=7)) == Changed(2, True)
        found = await living.facade.document("aggregator", "acc")
        assert found is not None
        assert (found.version, found.body, found.actor, found.reason) == (
            2, aggregator(ttl_days=7), "tester", "a test",
        )  # fmt: skip
        versions = await living.facade.versions("aggregator", "acc")
        assert [each.version for each in versions] == [2, 1]
        assert [each.name for each in await living.facade.documents()] == ["acc"]
        assert await living.facade.documents("campaign") == []

    tell(tmp_path, story)


def test_a_document_as_it_is_in_force_is_no_change(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        assert await living.put(aggregator()) == Changed(1, True)
        assert len(living.log.rows["config", 0]) == 1

    tell(tmp_path, story)


def test_numbers_stay_exact(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        value = Decimal("9007199254740993.10000000000000000001")
        condition = {"field": "sum_bytes", "op": ">=", "value": value}
        flush = {"by": "timeout", "timeout": {"duration": {"hours": 1}}, "conditions": condition}
        await living.put(aggregator(flush=flush))
        found = await living.facade.document("aggregator", "acc")
        assert found is not None
        assert found.body == aggregator(flush=flush)

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("kind", "name", "changes", "path"),
    [
        ("aggregator", "acc", {"ttl_days": 0}, "ttl_days"),
        ("aggregator", "other", {}, "name"),
        ("sink", "acc", {}, "kind"),
        ("aggregator", "acc", {"flush": {"by": "end_of_stream"}}, "flush.by"),
    ],
)
def test_what_would_be_refused_is_refused_at_once(
    tmp_path: Path, kind: str, name: str, changes: dict[str, Any], path: str
) -> None:
    async def story(living: Living) -> None:
        with pytest.raises(DocumentError) as caught:
            await living.facade.put_document(kind, name, aggregator(**changes), ME, 5.0)
        assert [problem.path for problem in caught.value.problems] == [path]
        assert "config" not in {tp[0] for tp in living.log.rows}

    tell(tmp_path, story)


def test_validating_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        assert list(await living.facade.validate(aggregator())) == []
        (problem,) = await living.facade.validate(aggregator(flush={"by": "end_of_stream"}))
        assert problem.path == "flush.by"

    tell(tmp_path, story)


def test_it_is_in_force_when_every_live_worker_has_it(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.crowd.others = [beat("w-2")]
        assert await living.put(aggregator(), wait_s=0.05) == Changed(1, False, created=True)
        status = await living.facade.document_status("aggregator", "acc")
        assert status is not None
        assert (status.version, status.in_force) == (1, False)
        assert status.workers == {"w-1": 1, "w-2": 0}
        living.crowd.others = []
        assert await living.put(aggregator(), wait_s=0.0) == Changed(1, True)
        status = await living.facade.document_status("aggregator", "acc")
        assert status is not None
        assert (status.in_force, status.workers) == (True, {"w-1": 1})
        assert await living.facade.document_status("aggregator", "other") is None

    tell(tmp_path, story)


def test_a_removed_document_has_a_status_until_that_is_in_force(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        remove = living.facade.delete_document
        assert await remove("aggregator", "acc", ME, 1.0) is None
        await living.put(aggregator())
        living.crowd.others = [beat("w-2")]
        assert await remove("aggregator", "acc", ME, 0.0) == Changed(2, False)
        status = await living.facade.document_status("aggregator", "acc")
        assert status is not None
        assert (status.version, status.in_force, status.workers["w-1"]) == (2, False, 0)
        living.crowd.others = []
        assert await living.facade.document_status("aggregator", "acc") is None
        assert await living.facade.document("aggregator", "acc") is None
        assert await living.facade.documents() == []
        assert await remove("aggregator", "acc", ME, 0.0) is None
        assert (await living.facade.versions("aggregator", "acc"))[0].body is None
        assert await living.put(aggregator()) == Changed(3, True, created=True)

    tell(tmp_path, story)


def test_a_repeat_by_its_key_is_the_change_it_was(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        keyed = Change("tester", "a test", "key-1")
        put = living.facade.put_document
        assert await put("aggregator", "acc", aggregator(), keyed, 5.0) == Changed(1, True, True)
        await living.put(aggregator(ttl_days=7))
        again = await put("aggregator", "acc", aggregator(), keyed, 5.0)
        assert again.version == 1
        found = await living.facade.document("aggregator", "acc")
        assert found is not None
        assert found.version == 2
        with pytest.raises(IdempotencyConflict):
            await put("aggregator", "acc", aggregator(ttl_days=9), keyed, 5.0)

    tell(tmp_path, story)


def test_a_change_that_nobody_reads_is_not_called_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "READ_S", 0.05)

    async def story(living: Living) -> None:
        living.paused = True
        with pytest.raises(Unavailable, match="durable on topic config"):
            await living.put(aggregator())
        living.paused = False
        monkeypatch.setattr(documents, "READ_S", 5.0)
        # what was appended before came into force; the same again changes nothing
        assert (await living.put(aggregator())).version == 1

    tell(tmp_path, story)


def test_what_only_the_agent_refuses_is_told_as_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())

        def refuse(*_: Any) -> None:
            raise Refused("a newer worker knows better")

        monkeypatch.setattr("agents.documents.validate", refuse)
        with pytest.raises(DocumentError, match="dead letters"):
            await living.put(aggregator(ttl_days=7))
        assert [one.version for one in await living.facade.documents()] == [1]

    tell(tmp_path, story)


def test_records_are_tried_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        wanted = {"field": "type", "op": "==", "value": "data"}
        records = [
            b'{"type": "data", "account": "x", "bytes": 2}',
            b'{"type": "call"}',
            b'{"type": "data", "account": "x", "bytes": "many"}',
        ]
        trial = await living.facade.try_record(aggregator(filter=wanted), records)
        assert (len(trial.sessions), trial.filtered) == (1, [1])
        assert b'"sum_bytes":2' in trial.sessions[0]
        assert [(one.index, one.reason) for one in trial.rejected] == [(2, "not_a_number")]
        assert living.log.rows.keys() == {(t, p) for t, p in living.log.rows if "changelog" in t}
        with pytest.raises(DocumentError):
            await living.facade.try_record(aggregator(ttl_days=0), records)

    tell(tmp_path, story)


def test_a_change_by_way_of_the_topic_is_in_the_trail_once(tmp_path: Path) -> None:
    """Over HTTP the trail has it already; what is refused, or changes nothing, is no change."""

    async def story(living: Living) -> None:
        await living.put(aggregator())
        at = len(living.log.rows["config", 0])
        for document, actor in (
            (aggregator(ttl_days=8), "deploys"),
            (aggregator(ttl_days=8), "deploys"),
            (aggregator(ttl_days=0), "deploys"),
            (None, None),
        ):
            message = {"kind": "aggregator", "name": "acc", "document": document, "reason": "new"}
            value = to_json({**message, **({"actor": actor} if actor else {})})
            await living.log.append("config", 0, [(b"aggregator/acc", value, None, ())])
        await auntil(lambda: living.documents.read.get(0) == at + 3, 10, "they are read")
        trail = TopicTrail(living.log, NAMES.audit, tmp_path / "trail")
        removed, applied = (await trail.find(Wanted(), 10, None)).items
        assert (applied.action, applied.object, applied.actor, applied.reason, applied.address) == (
            "documents.apply", "aggregator/acc", "deploys", "new", "topic config",
        )  # fmt: skip
        assert (applied.before["version"], applied.after["version"]) == (1, 2)
        assert applied.after["document"]["ttl_days"] == 8
        assert (removed.action, removed.actor) == ("documents.remove", "topic config")
        assert removed.before == applied.after and removed.after is None
        version = living.documents.history["aggregator", "acc"][1]
        await teller(living.log, NAMES.audit)(version, None)  # after a kill
        assert len((await trail.find(Wanted(), 10, None)).items) == 2
        await trail.stop()

    tell(tmp_path, story)


def metric(name: str, expression: str) -> dict[str, Any]:
    return {"kind": "metric", "name": name, "expression": expression}


def test_a_metric_that_comes_back_to_itself_is_refused_by_whatever_way(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        with pytest.raises(DocumentError, match="a -> a"):
            await living.put(metric("a", "a / 2"))
        await living.put(metric("a", "b + 1"))
        await living.put(metric("b", "c * 2"))
        with pytest.raises(DocumentError, match="c -> a -> b -> c") as caught:
            await living.put(metric("c", "shop.visits - a"))
        assert [problem.path for problem in caught.value.problems] == ["expression"]
        (problem,) = await living.facade.validate(metric("c", "a"))
        assert problem.path == "expression"
        await living.put(metric("c", "shop.visits"))
        # by topic: a letter, and what was in force stays so
        text = to_json({"kind": "metric", "name": "c", "document": metric("c", "b")})
        await living.facade.append_records("config", [(b"metric/c", text, None, ())], None)
        await auntil(lambda: bool(living.log.rows.get(("dead-letters", 0))))
        found = await living.facade.document("metric", "c")
        assert found is not None
        assert found.version == 1

    tell(tmp_path, story)


@pytest.mark.parametrize("topic", ["sluice-sessions-in", "sluice-people", "sluice-x-changelog"])
def test_the_products_own_topics_are_nobodys_input_or_output(tmp_path: Path, topic: str) -> None:
    reading = aggregator(input=topic)
    writing = aggregator(output={"topic": topic})
    sink = {"kind": "sink", "name": "s", "input": topic, "files": {"path": str(tmp_path)}}

    async def story(living: Living) -> None:
        for body, path in ((reading, "input"), (writing, "output.topic"), (sink, "input")):
            (problem,) = await living.facade.validate(body)
            assert (problem.path, problem.value) == (path, topic)
            with pytest.raises(DocumentError, match="other than the product's own"):
                await living.facade.put_document(str(body["kind"]), str(body["name"]), body, ME, 1)
            with pytest.raises(Refused, match="other than the product's own"):
                refuse_internal(load_document(body), NAMES)
        for shared in (aggregator(input="x-changelog"), aggregator(input="sluice-usage")):
            assert await living.facade.validate(shared) == []

    tell(tmp_path, story)
