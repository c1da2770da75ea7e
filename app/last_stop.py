"""Why the worker of a data directory ended by itself: for who finds it ended.

The note is there from such an end until the worker is at work again. It is a help for people, and
nothing depends on it.
"""

import logging
from pathlib import Path

import msgspec

from domain.errors import Fatal, UsageError

logger = logging.getLogger(__name__)
FILE = "stopped.json"


class Note(msgspec.Struct):
    """`at`: an instant of the machine's clock. `remedy`: what to do about it."""

    at: str
    problem: str
    remedy: str


def write(data_dir: Path, error: Fatal, at: str) -> None:
    """Keeps why it ended."""
    note = Note(at, error.problem, error.remedy)
    try:
        (data_dir / FILE).write_bytes(msgspec.json.encode(note))
    except OSError as failed:
        logger.warning("why the worker stopped could not be kept: %s", failed)


def read(data_dir: Path) -> Note | None:
    """The note, if there is one."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return None


def clear(data_dir: Path) -> None:
    """It works again."""
    try:
        (data_dir / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{data_dir / FILE} can't be removed: {error.strerror}",
            "give this process the folder, or set SLUICE_DATA_DIR",
        ) from None
