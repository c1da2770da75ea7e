"""A process that appends numbered records until it is killed: `python -m … STREAM DIR TOPIC`.

It prints the number of the last record that was acknowledged, a line each time.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log

CALLS = 4  # under way at once
ROWS = 40  # a call; with 100 bytes a row a kill falls into the middle of things


async def _append_for_ever(stream: str, data_dir: Path, topic: str) -> None:
    log = open_log(Settings(stream=stream, data_dir=data_dir), SystemClock())
    await log.start()
    for first in itertools.count(0, CALLS * ROWS):
        calls = [
            log.append(topic, 0, [(None, b"%0100d" % (at + n), None, ()) for n in range(ROWS)])
            for at in range(first, first + CALLS * ROWS, ROWS)
        ]
        await asyncio.gather(*calls)
        sys.stdout.write(f"{first + CALLS * ROWS - 1}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_append_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
