"""Log lines of a process: text for people on a terminal, else JSON lines, on standard error."""

import json
import logging
import re
import sys
from typing import TextIO

from app.repeats import Repeats
from config.clock import system_ms
from config.settings import Settings
from domain.aggregation.instants import print_instant

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # all but the tab
# Loggers of other people's code (by way of ours, too), whose everyday lines tell nothing.
QUIET = (
    *("faust", "mode", "aiokafka", "aiohttp", "asyncio", "kafka"),
    *("connectors.streams.faust_app", "connectors.streams.faust_producer"),
    *("connectors.streams.embedded.transport", "connectors.streams.kafka.transport"),
)
# while what they talk to is away
REPEATING = ("aiokafka", "kafka", "mode", "faust", "pymongo", "app.cluster.peers")


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "at": print_instant(system_ms()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _CONTROL.sub(_escaped, json.dumps(line, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class TextLines(logging.Formatter):
    """A line each: what came from outside ends none and moves no cursor."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # logging's name
        """The line without a traceback."""
        record.message = _CONTROL.sub(_shown, record.message)
        return super().formatMessage(record)


def _shown(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def set_up(settings: Settings, stream: TextIO | None = None) -> None:
    """Sends all log lines of the process to one place, in the format of the settings."""
    out = sys.stderr if stream is None else stream
    text = settings.log_format == "text" or (not settings.log_format and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        TextLines("%(asctime)s %(levelname)-7s %(name)s: %(message)s") if text else JsonLines()
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = getattr(logging, settings.log_level.upper())
    if level > logging.DEBUG:
        handler.addFilter(Repeats(REPEATING))
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(
            logging.DEBUG if level == logging.DEBUG else max(level, logging.WARNING)
        )
