"""One process per data directory."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.streams.base import DirectoryLocked, StreamUnavailable
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.connectors.streams.embedded.logs import made, opened, told

_OPEN = """
import asyncio, sys
from pathlib import Path
from connectors.streams.base import DirectoryLocked
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
try:
    asyncio.run(EmbeddedLog(Path(sys.argv[1]), FixedClock(0)).start())
except DirectoryLocked as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_second_process_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    async def story(_: EmbeddedLog) -> None:
        second = subprocess.run(
            [sys.executable, "-c", _OPEN, str(tmp_path)], capture_output=True, text=True
        )
        assert second.returncode == 2
        assert str(tmp_path) in second.stdout
        assert "process " in second.stdout
        assert "SLUICE_DATA_DIR" in second.stdout

    told(tmp_path, story)


def test_second_log_is_refused_until_the_first_is_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as first:
            await made(first)
            with pytest.raises(DirectoryLocked):
                await EmbeddedLog(tmp_path, FixedClock(0)).start()
            assert await first.topics() == {"t": 1}
        async with opened(tmp_path) as second:
            assert await second.topics() == {"t": 1}

    asyncio.run(story())


def test_file_that_is_no_log_is_told_and_the_lock_given_back(tmp_path: Path) -> None:
    file = tmp_path / "log.sqlite"
    file.write_bytes(b"not a database" * 100)

    async def story() -> None:
        with pytest.raises(StreamUnavailable, match=r"log\.sqlite"):
            await EmbeddedLog(tmp_path, FixedClock(0)).start()
        file.unlink()
        async with opened(tmp_path) as log:
            assert await log.topics() == {}

    asyncio.run(story())
