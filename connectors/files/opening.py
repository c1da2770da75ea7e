"""From an address to a tree of files, or to one file in it."""

from pathlib import Path

from connectors.files.base import Files
from connectors.files.local import LocalFiles


def open_files(address: str) -> Files:
    """The tree at a folder. Nothing is looked at yet."""
    return LocalFiles(Path(address))


def open_file(address: str) -> tuple[Files, str]:
    """The tree a file is in, and its name there."""
    path = Path(address).absolute()
    return open_files(str(path.parent)), path.name
