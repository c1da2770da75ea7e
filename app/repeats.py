"""Log lines that say the same again and again, while a server or another worker is away."""

import logging
import time
from collections.abc import Callable, Collection

EVERY_S = 10.0
KNOWN = 500  # lines told apart at a time


class Repeats(logging.Filter):
    """Lets a line of those loggers (`aiokafka`: all below it, too) through once in `every_s`
    seconds; the next one that comes through says how many were left out. All other lines pass."""

    def __init__(
        self,
        loggers: Collection[str],
        every_s: float = EVERY_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._every_s = every_s
        self._now_s = now_s
        self._told: dict[tuple[str, str], tuple[float, int]] = {}  # when, and left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        if not {record.name, record.name.partition(".")[0]} & self._loggers:
            return True
        message = record.getMessage()
        at, now = (record.name, message), self._now_s()
        told, left_out = self._told.get(at, (-self._every_s, 0))
        if now - told < self._every_s:
            self._told[at] = (told, left_out + 1)
            return False
        if len(self._told) >= KNOWN:
            self._told.clear()
        self._told[at] = (now, 0)
        if left_out:
            record.msg, record.args = f"{message} ({left_out} more like it before)", None
        return True
