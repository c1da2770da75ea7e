"""The dimension as it lies: `tables/DIMENSION/`, a manifest and one file with all of its history.

Its manifest has the shape of a table's: a load per version, and the history as its only piece.
"""

import hashlib
import io

import msgspec

from agents.impressions.gunzip import TooLarge, Unzipping, zipped
from agents.impressions.source import LOAD_DIGITS, Source
from agents.impressions.step import Step
from agents.impressions.store import DamagedTable, Store
from connectors.files.base import Files, Missing
from domain.aggregation.instants import print_instant
from domain.clock import Clock
from domain.errors import UsageError
from domain.impressions.dimension import Given, History, from_lines, read_dimension
from domain.impressions.layout import DIMENSION, folder
from domain.impressions.manifest import Load, Manifest, PieceRef

LARGEST = 128 << 20  # bytes of a dimension file, unzipped: it is held in memory
PIECE_BYTES = 1 << 20


def newest(store: Store) -> History:
    """The dimension with all of its versions; version 0 when none was ever given."""
    return _history(store, store.manifest(DIMENSION)[0])


def needed(store: Store) -> History:
    """The same; raises UsageError when none was ever given."""
    found = newest(store)
    if not found.version:
        raise UsageError("there is no dimension yet", "give a file with campaign_id in its header")
    return found


def take_dimension(files: Files, clock: Clock, source: Source, since: int | None = None) -> History:
    """Makes a file's content the newest version, unless it is that already, or has been made one of
    the versions after `since`. Raises BadDimension, Damaged, TooLarge, Missing, Busy."""
    given, checksum, tag = read_source(source)
    with Step(files, "dimension", [DIMENSION], clock, file=source.address) as step:
        manifest, now = step.manifest, print_instant(clock.now_ms())
        history = _history(step.store, manifest)
        last = len(manifest.loads) - 1
        recent = manifest.loads[max(0, last if since is None else min(since, last)) :]
        if any(load.checksum == checksum for load in recent):
            return history
        history = history.applied(given, now)
        text = b"".join(line + b"\n" for line in history.lines())
        path = f"{folder(DIMENSION)}/history.v{history.version}.csv.gz"
        digest, _ = step.put(path, [zipped(text)])
        load = Load(
            checksum[:LOAD_DIGITS], source.address, checksum, tag, "loaded", len(given.rows), 0,
            step.started, now, (),
        )  # fmt: skip
        step.told(load=load.load, rows=load.rows, files=1)
        ref = PieceRef(path, digest, 1, len(history.newest), 0)
        old = [one.path for one in manifest.pieces.values()]
        step.commit({}, old, pieces={"": ref}, loads=(*manifest.loads, load),
                    columns=history.columns, dimension=history.version)  # fmt: skip
        return history


def read_source(source: Source) -> tuple[Given, str, str]:
    """(content, checksum, tag) of a dimension file, plain or gzip."""
    found = source.files.stat(source.name)
    if found is None:
        raise Missing(source.address)
    reading = source.files.open(source.name)
    digest, pieces, size = hashlib.sha256(), [], 0
    try:
        stream = Unzipping(source.address, reading, digest, LARGEST)
        while piece := stream.read(PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise TooLarge(source.address, LARGEST)
    finally:
        reading.close()
    return read_dimension(source.address, b"".join(pieces)), digest.hexdigest(), found.tag


def _history(store: Store, manifest: Manifest) -> History:
    if not manifest.pieces:
        return History()
    ref = manifest.pieces[""]
    found = store.files.read(ref.path)
    if found is None or hashlib.sha256(found[0]).hexdigest() != ref.checksum:
        raise DamagedTable(ref.path, "it is missing, or its checksum is not that of the manifest")
    stream = Unzipping(ref.path, io.BytesIO(found[0]), hashlib.sha256())
    text = b"".join(iter(lambda: stream.read(PIECE_BYTES), b""))
    return from_lines(text.splitlines(), manifest.dimension or 0)


def versions(store: Store) -> list[dict[str, object]]:
    """Every version: `version`, `file`, `rows`, `at`."""
    manifest, _ = store.manifest(DIMENSION)
    return [
        {"version": number, **msgspec.structs.asdict(load)}
        for number, load in enumerate(manifest.loads, 1)
    ]
