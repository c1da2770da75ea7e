"""A file of rows with other ends."""

import hashlib
from collections.abc import Iterator

from agents.impressions.gunzip import Damaged, Unzipping, zipped
from agents.impressions.lines import blocks
from agents.impressions.store import DamagedTable
from connectors.files.base import Files, Missing
from domain.impressions.manifest import FileEntry

LONGEST = 64 << 20  # of a line with its metadata: far above what a load lets in


def rewritten(files: Files, source: FileEntry, strip: bytes, append: bytes) -> Iterator[bytes]:
    """Gzip members of the rows of `source`, whose ends `strip` are replaced by `append`. Raises
    DamagedTable, at its end at the latest, when the file is not what its manifest says."""
    for text in lines_of(files, source):
        rows = text.count(b"\n")
        if strip and text.count(strip + b"\n") != rows:
            raise DamagedTable(source.path, f"a row does not end with {strip.decode()!r}")
        yield zipped(text.replace(strip + b"\n", append + b"\n"))


def lines_of(files: Files, source: FileEntry) -> Iterator[bytes]:
    """The rows of a file, some thousand at a time. Raises DamagedTable, at its end at the latest,
    when its bytes or the number of its rows are not those of the manifest."""
    digest, rows = hashlib.sha256(), 0
    try:
        reading = files.open(source.path)
    except Missing:
        raise DamagedTable(source.path, "it is missing") from None
    try:
        for block in blocks(Unzipping(source.path, reading, digest), longest=LONGEST):
            text = block.text[: block.size]
            rows += text.count(b"\n")
            yield text
    except Damaged as error:
        raise DamagedTable(source.path, str(error)) from error
    finally:
        reading.close()
    if digest.hexdigest() != source.checksum:
        raise DamagedTable(source.path, "its checksum is not that of the manifest")
    if rows != source.rows:
        raise DamagedTable(source.path, f"it has {rows:,} rows; the manifest says {source.rows:,}")
