"""A worker in a process of its own: `python -m ... KAFKA_URL FOLDER GROUP TOPIC`.

Prints a line for each batch it has acknowledged: "partition first last". Runs until killed.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.connectors.streams.kafka.workers import Worker, opened, settings_for, working


async def _told(worker: Worker, event: Any) -> None:
    items = event.value
    event.ack()
    print(event.message.partition, items[0][0], items[-1][0], flush=True)


async def _run(kafka: str, folder: str, group: str, topic: str) -> None:
    settings = settings_for(kafka, Path(folder))
    async with opened(settings) as log, working(settings, log, group, topic, body=_told):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
