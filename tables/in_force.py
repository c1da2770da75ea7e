"""The documents of one kind that are in force, and what their versions say."""

from functools import lru_cache
from typing import TypeVar

from config.documents.base import Document
from config.documents.registry import load_document
from domain.aggregation.operations import exact_json
from domain.errors import Invariant
from tables.documents import Documents, Version

D = TypeVar("D")


def versions_in_force(documents: Documents, kind: str) -> list[Version]:
    """By name."""
    names = sorted(name for of, name in list(documents.history) if of == kind)
    versions = (documents.version_at(kind, name, documents.revision) for name in names)
    return [version for version in versions if version is not None]


def in_force(documents: Documents, cls: type[D], kind: str) -> list[D]:
    """By name, loaded; those of another class that share the kind are left out.

    Raises DocumentError for one that this version of the product can't read.
    """
    loaded = (_loaded(version.document or "") for version in versions_in_force(documents, kind))
    return [document for document in loaded if isinstance(document, cls)]


def document_of(version: Version, cls: type[D]) -> D:
    """What a version says. Raises DocumentError as above, Invariant when it is of another class."""
    found = _loaded(version.document or "")
    if not isinstance(found, cls):
        raise Invariant("a document is of its kind", f"{version.kind}/{version.name}")
    return found


@lru_cache(maxsize=1_000)
def _loaded(text: str) -> Document:
    return load_document(exact_json(text.encode()))
