"""One look at the system for everybody who watches it."""

import asyncio
import time
from typing import Final

from aiohttp import web

from app.shapes import Overview
from app.web.context import BACKEND

FRESH_S = 0.9  # pages ask every second; all of them share one look at the system


class Look:
    """Shares what the backend says about the system as a whole."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._taken_s = float("-inf")
        self._found: Overview | None = None

    async def take(self, request: web.Request) -> Overview:
        """The figures, at most `FRESH_S` old; real time, as a trial clock may stand still."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._taken_s > FRESH_S:
                self._found = await request.app[BACKEND].overview()
                self._taken_s = time.monotonic()
            return self._found


LOOK: Final = web.AppKey[Look]("look")
