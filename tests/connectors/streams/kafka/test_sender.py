"""The producer behind appends: when it is replaced, and what it is when the broker is plain."""

import asyncio
import logging
from typing import Any, ClassVar

import pytest
from aiokafka import errors

from connectors.streams.kafka import produce
from connectors.streams.kafka.produce import Sender


class FakeProducer:
    """Stands in for aiokafka's; answers sends with what the test put into `answers`."""

    made: ClassVar[list["FakeProducer"]]
    answers: ClassVar[list[Any]]
    idempotence_refused: Exception | None = None

    def __init__(self, *, enable_idempotence: bool, acks: str, **_: Any) -> None:
        self.idempotent = enable_idempotence
        self.acks = acks
        self.stopped = False
        self.client = self
        self.cluster = self
        self.made.append(self)

    async def start(self) -> None:
        if self.idempotent and self.idempotence_refused:
            raise self.idempotence_refused

    async def stop(self) -> None:
        self.stopped = True

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0, 1, 2, 3}

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        answer = self.answers.pop(0)
        done = asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            done.set_exception(answer)
        else:
            done.set_result(type("Metadata", (), {"offset": answer}))
        return done


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeProducer]:
    """The class of the producers that are made."""

    class Fresh(FakeProducer):
        made: ClassVar[list[FakeProducer]] = []
        answers: ClassVar[list[Any]] = []

    monkeypatch.setattr(produce, "AIOKafkaProducer", Fresh)
    return Fresh


def test_producer_is_idempotent_and_waits_for_all_replicas(fake: type[FakeProducer]) -> None:
    asyncio.run(Sender({}).start())
    assert [(p.idempotent, p.acks) for p in fake.made] == [(True, "all")]


@pytest.mark.parametrize(
    "refusal", [errors.IncompatibleBrokerVersion(), errors.ClusterAuthorizationFailedError()]
)
def test_broker_without_idempotence_is_used_with_a_warning(
    fake: type[FakeProducer], caplog: pytest.LogCaptureFixture, refusal: Exception
) -> None:
    fake.idempotence_refused = refusal
    with caplog.at_level(logging.WARNING):
        asyncio.run(Sender({}).start())
    assert [(p.idempotent, p.stopped) for p in fake.made] == [(True, True), (False, False)]
    assert "appended twice" in caplog.text


def test_producer_that_met_an_error_is_replaced(fake: type[FakeProducer]) -> None:
    fake.answers += [5, errors.OutOfOrderSequenceNumber(), 6]

    async def story() -> None:
        sender = Sender({})
        assert await sender.send(("t", 0), None) == 5
        with pytest.raises(errors.OutOfOrderSequenceNumber):
            await sender.send(("t", 0), None)
        assert await sender.send(("t", 0), None) == 6
        await sender.stop()

    asyncio.run(story())
    assert [p.stopped for p in fake.made] == [True, True]


def test_acknowledgement_without_an_offset_is_an_error(fake: type[FakeProducer]) -> None:
    fake.answers += [-1]

    async def story() -> None:
        sender = Sender({})
        with pytest.raises(errors.DuplicateSequenceNumber):
            await sender.send(("t", 0), None)
        await sender.stop()

    asyncio.run(story())
