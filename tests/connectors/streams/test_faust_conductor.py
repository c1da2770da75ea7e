"""Which channels get which batches, while topics come and go."""

import asyncio
from pathlib import Path
from typing import Any

from faust.types.tuples import TP

from connectors.streams.faust_conductor import Conductor
from connectors.streams.faust_consumer import BatchMessage
from connectors.streams.faust_schema import BatchSchema
from tests.connectors.streams.faust_kit import USAGE, offline_app, piece


def message(tp: TP) -> BatchMessage:
    items: Any = piece(0, 2).items
    return BatchMessage(tp.topic, tp.partition, 1, 0.0, 0, None, None, items, None, tp=tp)


def test_batch_reaches_the_channel_of_its_topic(tmp_path: Path) -> None:
    async def story() -> None:
        app = offline_app(tmp_path)
        channel: Any = app.topic("usage", schema=BatchSchema())
        app.topics.add(channel)
        await app.topics.on_partitions_assigned({USAGE})
        app.flow_control.resume()
        await app.topics.on_message(message(USAGE))
        event = await asyncio.wait_for(channel.queue.get(), 30)
        assert (event.key, event.value) == (None, piece(0, 2).items)

    asyncio.run(story())


def test_batch_of_a_discarded_topic_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        app = offline_app(tmp_path)
        channel = app.topic("usage", schema=BatchSchema())
        app.topics.add(channel)
        app.topics.discard(channel)
        await app.topics.on_partitions_assigned({USAGE})
        unread = message(USAGE)
        await app.topics.on_message(unread)
        assert not unread.acked

    asyncio.run(story())


def test_second_channel_of_a_subscribed_topic_asks_for_a_new_subscription(tmp_path: Path) -> None:
    async def story() -> None:
        app = offline_app(tmp_path)
        conductor = app.topics
        assert isinstance(conductor, Conductor)
        conductor._topic_name_index["usage"] = set()  # subscribed to already
        changed = conductor._subscription_changed = asyncio.Event()
        conductor.add(app.topic("usage", schema=BatchSchema()))
        assert changed.is_set()

    asyncio.run(story())
