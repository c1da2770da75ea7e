"""The documents of one kind that are in force, what their versions say, and which of them can't be
followed (see `out_of_service.py`).
"""

from functools import lru_cache
from typing import TypeVar

from config.documents.base import Document, DocumentError
from config.documents.registry import load_stored
from domain.aggregation.document import Aggregator
from domain.aggregation.operations import exact_json
from domain.errors import Invariant
from tables.documents import Documents, Version
from tables.out_of_service import OutOfService

D = TypeVar("D")


def versions_in_force(documents: Documents, kind: str) -> list[Version]:
    """By name, those out of service too."""
    names = sorted(name for of, name in list(documents.history) if of == kind)
    versions = (documents.version_at(kind, name, documents.revision) for name in names)
    return [version for version in versions if version is not None]


def in_service(documents: Documents, kind: str) -> list[Version]:
    """By name, those that can be followed."""
    versions = versions_in_force(documents, kind)
    return [version for version in versions if unread(documents, version) is None]


def in_force(documents: Documents, cls: type[D], kind: str) -> list[D]:
    """By name, loaded; those of another class that share the kind, or out of service, are left
    out.
    """
    loaded = (_loaded(version.document or "") for version in versions_in_force(documents, kind))
    return [document for document in loaded if isinstance(document, cls)]


def document_of(version: Version, cls: type[D]) -> D:
    """What a version says. Raises OutOfService, and Invariant when it is of another class."""
    found = _loaded(version.document or "")
    if isinstance(found, str):
        raise OutOfService(version.kind, version.name, version.version, found)
    if not isinstance(found, cls):
        raise Invariant("a document is of its kind", f"{version.kind}/{version.name}")
    return found


def unread(documents: Documents, version: Version) -> str | None:
    """Why a version can't be followed; None when it can."""
    aggregator = documents.unread.get((version.name, version.version))
    if version.kind == Aggregator.kind:
        return None if aggregator is None else aggregator.reason
    found = _loaded(version.document) if version.document is not None else None
    return found if isinstance(found, str) else None


def is_unread(documents: Documents, kind: str, name: str) -> bool:
    """Whether a document is in force and can't be followed."""
    version = documents.version_at(kind, name, documents.revision)
    return version is not None and unread(documents, version) is not None


def out_of_service(documents: Documents) -> list[OutOfService]:
    """Every document in force that can't be followed, by kind and name."""
    found = []
    for kind in sorted({kind for kind, _ in list(documents.history)}):
        for version in versions_in_force(documents, kind):
            reason = unread(documents, version)
            if reason is not None:
                found.append(OutOfService(kind, version.name, version.version, reason))
    return found


@lru_cache(maxsize=10_000)
def _loaded(text: str) -> Document | str:
    """What a version says, or why it can't be read."""
    try:
        return load_stored(exact_json(text.encode()))
    except DocumentError as error:
        return "; ".join(map(str, error.problems))
