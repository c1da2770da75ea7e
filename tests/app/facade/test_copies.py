"""Who answers for a shard whose owner does not, and what is said of it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app import aged
from app.backend import Unavailable
from app.facade import owners
from app.facade.owners import Owners


class Asked:
    """Workers as they answer: shard 0 has its owner, shard 1 has none and two copies."""

    def __init__(self) -> None:
        self.copies = {"b": {1: one(4.0), 0: one(9.0)}, "c": {1: one(2.5)}}

    async def ask(self, question: str, _: dict[str, Any]) -> dict[str, Any]:
        if question == "copied_rows":
            return self.copies
        return {"a": {0: one()}}


def one(age_s: float | None = None) -> dict[str, Any]:
    told = {"epoch": 1, "rows": [], "reached": None}
    return told if age_s is None else told | {"age_s": age_s}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "MOVING_S", 0.2)
    monkeypatch.setattr(owners, "COPY_S", 0.05)


def made(asked: Asked, standby: int = 1) -> Owners:
    parts: Any = SimpleNamespace(shards=2, settings=SimpleNamespace(standby=standby))
    peers: Any = asked
    return Owners(parts, peers)


def test_the_youngest_copy_answers_for_an_owner_that_does_not_and_its_age_is_noted() -> None:
    async def run() -> None:
        with aged.noted():
            told = await made(Asked()).all("rows", {}, or_copy=True)
            assert {number: worker for number, (worker, _) in told.items()} == {0: "a", 1: "c"}
            assert "age_s" not in told[0][1]
            assert aged.age_s() == 2.5

    asyncio.run(run())


@pytest.mark.parametrize("how", ["not wanted", "none kept", "none there"])
def test_what_no_copy_may_or_can_answer_waits_for_the_owner(how: str) -> None:
    async def run() -> None:
        asked = Asked()
        if how == "none there":
            asked.copies = {"b": {0: one(1.0)}}
        with aged.noted():
            with pytest.raises(Unavailable):
                await made(asked, standby=how != "none kept").all(
                    "rows", {}, or_copy=how != "not wanted"
                )
            assert aged.age_s() is None

    asyncio.run(run())


def test_what_is_noted_in_one_answer_is_not_in_another() -> None:
    async def answer(age_s: float) -> float | None:
        with aged.noted():
            await asyncio.gather(*(_noting(age_s / n) for n in (2, 1)))
            return aged.age_s()

    async def _noting(age_s: float) -> None:
        await asyncio.sleep(0)
        aged.note(age_s)

    async def run() -> list[float | None]:
        return [*await asyncio.gather(answer(1.0), answer(7.04))]

    assert asyncio.run(run()) == [1.0, 7.0]
    aged.note(1.0)  # for nobody
    assert aged.age_s() is None
