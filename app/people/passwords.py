"""Argon2 for passwords, in threads of its own, a few at a time: each takes 64 MiB and some
hundredths of a second, and nobody may use up the machine by guessing.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.backend import Unavailable

AT_ONCE = 2
WAITING = 50  # some seconds of work; whoever comes then is asked to come again
LONGEST = 1_024  # characters
R = TypeVar("R")


class Passwords:
    """Hashes and checks. `hasher` None: the parameters that RFC 9106 recommends."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises Unavailable when too many wait."""
        return await self._run(self._hasher.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether the hash is the password's; without one (None) False, after the same time."""
        if not self._nobodys:
            self._nobodys = await self._run(self._hasher.hash, "nobody's")
        right = await self._run(self._verify, kept or self._nobodys, password[: LONGEST + 1])
        return right and kept is not None and len(password) <= LONGEST

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., R], *arguments: str) -> R:
        if self._waiting >= WAITING:
            raise Unavailable("the password", "too many are being checked", 5)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1
