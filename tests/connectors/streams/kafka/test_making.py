"""Making a topic: not before it can be written to."""

import asyncio
from typing import Any

import pytest

from connectors.streams.base import TopicSpec
from connectors.streams.kafka import topics
from connectors.streams.kafka.topics import Topics

OK, EXISTS = 0, 36


class FakeAdmin:
    """Stands in for aiokafka's admin client: partition 1 has its leader at the third look."""

    looks = 0

    def __init__(self, **_: Any) -> None:
        self.answer = OK

    async def create_topics(self, made: list[Any]) -> Any:
        self.made = made
        errors = [(made[0].name, self.answer, "")]
        return type("Response", (), {"topic_errors": errors})

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        self.looks += 1
        leaders = [1, 1 if self.looks >= 3 else -1]
        return [{"topic": names[0], "partitions": [{"leader": leader} for leader in leaders]}]


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    """The admin client that `Topics` will have."""
    fake = FakeAdmin()
    monkeypatch.setattr(topics, "AIOKafkaAdminClient", lambda **_: fake)
    monkeypatch.setattr(topics, "BACKOFF_S", 0)
    return fake


def test_topic_is_made_when_each_partition_has_a_leader(admin: FakeAdmin) -> None:
    assert asyncio.run(Topics({}, 1).ensure(TopicSpec("t", 2)))
    assert admin.looks == 3


def test_topic_that_is_there_is_left_as_it_is(admin: FakeAdmin) -> None:
    admin.answer = EXISTS
    assert not asyncio.run(Topics({}, 1).ensure(TopicSpec("t", 2)))


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_acknowledged_record_outlives_a_broker_where_there_are_three(
    admin: FakeAdmin, replicas: int, in_sync: str
) -> None:
    asyncio.run(Topics({}, replicas).ensure(TopicSpec("t", 2)))
    (made,) = admin.made
    assert made.replication_factor == replicas
    assert made.topic_configs["min.insync.replicas"] == in_sync
