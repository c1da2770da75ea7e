"""A limit: aiokafka's getmany; values aren't looked at."""

import asyncio

from aiokafka import AIOKafkaConsumer
from common import BROKER, COMMIT_S, GROUP, TOPIC


async def main() -> None:
    """Consumes for ever."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=BROKER,
        group_id=GROUP,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=int(COMMIT_S * 1000),
    )
    await consumer.start()
    while True:
        await consumer.getmany(timeout_ms=1000)


asyncio.run(main())
