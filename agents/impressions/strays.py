"""What killed steps left behind in a table's folder. Only for who has the table's lock."""

from collections.abc import Iterator

from agents.impressions.journal import journal_name
from agents.impressions.lock import lock_name
from agents.impressions.store import Store
from domain.impressions.layout import DIMENSION, folder, manifest_name
from domain.impressions.manifest import Manifest


def remove(store: Store, table: str) -> None:
    """Removes what the manifest does not know: files of no version, and those that were to be
    removed one version after they were replaced. Reads one date's list at a time."""
    store.files.sweep(folder(table) + "/")
    for name in list(unknown(store, table)):
        store.files.remove(name)


def unknown(store: Store, table: str) -> Iterator[str]:
    """The files in a table's folder that its manifest does not know."""
    manifest, _ = store.manifest(table)
    known = names_beside(manifest)
    known |= {one.path for one in manifest.retired if one.version == manifest.version}
    below, date, of_date = folder(table) + "/", "", _paths(store, manifest, "")
    for found in store.files.list(below):
        _, _, part = found.name.removeprefix(below).partition("AdDate=")
        of_file = part.partition("/")[0]
        if of_file != date:
            date, of_date = of_file, _paths(store, manifest, of_file)
        if found.name not in known and found.name not in of_date:
            yield found.name


def names_beside(manifest: Manifest) -> set[str]:
    """Everything in a table's folder besides the files in force and those just replaced."""
    table = manifest.table
    names = {manifest_name(table), lock_name(table), journal_name(table)}
    names |= {ref.path for ref in manifest.pieces.values()}
    return names | {load.rejects for load in manifest.loads if load.rejects}


def _paths(store: Store, manifest: Manifest, date: str) -> set[str]:
    ref = manifest.pieces.get(date)
    if ref is None or manifest.table == DIMENSION:
        return set()
    return {one.path for one in store.piece(ref).files}
