"""The tables as they lie: manifests read, and what is known of a table told.

Blocks. A reader holds on to one version: its files stay until one version later. Reading that meets
a missing file has to look whether the table has moved on meanwhile (`Store.moved`).
"""

import hashlib
from collections.abc import Iterator

import msgspec

from connectors.files.base import Files, Missing
from domain.errors import SluiceError
from domain.impressions import manifest as shapes
from domain.impressions.layout import manifest_name
from domain.impressions.manifest import FileEntry, Manifest, Piece, PieceRef


class DamagedTable(SluiceError):
    """A file of a table that is not what its manifest says."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class Store:
    """Reads tables below a root."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def manifest(self, table: str) -> tuple[Manifest, str | None]:
        """A table's manifest and its tag; that of an empty table when there is none."""
        name = manifest_name(table)
        found = self.files.read(name)
        if found is None:
            return Manifest(table), None
        try:
            return shapes.decode_manifest(found[0]), found[1]
        except msgspec.DecodeError as error:
            raise DamagedTable(name, f"this is no manifest: {error}") from error

    def piece(self, ref: PieceRef) -> Piece:
        """The list of a date's files. Raises Missing and DamagedTable."""
        found = self.files.read(ref.path)
        if found is None:
            raise Missing(f"{self.files.where}/{ref.path}")
        if hashlib.sha256(found[0]).hexdigest() != ref.checksum:
            raise DamagedTable(ref.path, "its checksum is not that of the manifest")
        return shapes.decode_piece(found[0])

    def entries(self, manifest: Manifest) -> Iterator[FileEntry]:
        """Every file in force, by date, bucket and campaign."""
        for date in sorted(manifest.pieces):
            yield from self.piece(manifest.pieces[date]).files

    def moved(self, manifest: Manifest) -> bool:
        """Whether the table has another version now."""
        return self.manifest(manifest.table)[0].version != manifest.version
