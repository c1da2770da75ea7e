"""The file that a step is given.

What is here is all that steps know of each other: one that joins does not load Arrow and numpy.
"""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.files.base import Files

LOAD_DIGITS = 16  # of a checksum, in the id of a load
WRITERS = 8  # threads that put files into place, which is waiting for the most part

Progress = Callable[[int, int], None]
"""(bytes of the file read, rows found); called about every block."""


@dataclass(frozen=True)
class Source:
    """The file to be loaded: where it is, and its address for people and the manifest."""

    files: Files
    name: str
    address: str


def no_progress(done: int, rows: int) -> None:
    """Tells nobody."""
