"""A worker process that consumes until it is killed: `python -m … STREAM DIR GROUP TOPIC`.

It acknowledges each batch and prints the offset after it, a line each.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from config.settings import Settings
from connectors.streams import open_log
from domain.clock import FixedClock
from tests.connectors.streams.kafka.workers import Worker, working


async def _acknowledged(worker: Worker, event: Any) -> None:
    event.ack()
    sys.stdout.write(f"{event.message.offset + 1}\n")
    sys.stdout.flush()


async def _consume_for_ever(stream: str, data_dir: Path, group: str, topic: str) -> None:
    settings = Settings(
        stream=stream,
        data_dir=data_dir,
        batch_records=50,
        commit_interval_s=0.05,
        session_timeout_s=1.0,
    )
    log = open_log(settings, FixedClock(0))
    await log.start()
    async with working(settings, log, group, topic, body=_acknowledged):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_consume_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
