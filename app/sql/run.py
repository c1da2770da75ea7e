"""One statement in a process of its own, which is killed when its time is over.

Everything else goes on meanwhile: the process has one thread, its memory, no disk, and at most
AT_ONCE of them run in one worker.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from domain.errors import SluiceError

CHILD = Path(__file__).with_name("child.py")
AT_ONCE = 2
START_S = 30.0  # what the process needs to begin on a busy machine, at most
LONGEST = 100_000  # characters of a statement


class SqlRefused(SluiceError):
    """A statement that is not run (400)."""


class SqlLimit(SluiceError):
    """A statement that needed more than it may have (422)."""


@dataclass(frozen=True)
class SqlLimits:
    """Of one statement."""

    seconds: float = 10.0
    rows: int = 100_000
    memory_mb: int = 512


class Statements:
    """Runs them; more than AT_ONCE wait for their turn."""

    def __init__(self, limits: SqlLimits) -> None:
        self.limits = limits
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def run(self, sql: str, *tables: bytes) -> dict[str, Any]:
        """{"columns","rows","truncated"}; `tables` are rollups and archive, each an Arrow stream.
        Raises SqlRefused and SqlLimit."""
        if len(sql) > LONGEST:
            raise SqlRefused(f"a statement has at most {LONGEST:,} characters")
        async with self._turn:
            return await self._run(sql, b"".join(tables))

    async def _run(self, sql: str, tables: bytes) -> dict[str, Any]:
        limits = self.limits
        asked = msgspec.json.encode(
            {"sql": sql, "rows": limits.rows, "memory_mb": limits.memory_mb,
             "seconds": limits.seconds}
        )  # fmt: skip
        found_by = os.environ.get("PYTHONPATH")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-B", str(CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": found_by} if found_by else {},
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(limits.seconds + START_S):
                told, _ = await process.communicate(len(asked).to_bytes(8, "big") + asked + tables)
        except TimeoutError:
            raise SqlLimit(f"the statement took more than {limits.seconds:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _result(told, process.returncode or 0, limits)


def _result(told: bytes, code: int, limits: SqlLimits) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(told)
    except msgspec.DecodeError:
        what = f"{limits.seconds:g} s or {limits.memory_mb} MB"
        raise SqlLimit(f"the statement took more than {what} (its process ended: {code})") from None
    if found.get("error") == "limit":
        raise SqlLimit(f"the statement took {found['detail']}")
    if found.get("error"):
        raise SqlRefused(found["detail"])
    return found
