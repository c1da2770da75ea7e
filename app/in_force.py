"""The documents of one kind that are in force, loaded."""

from functools import lru_cache
from typing import TypeVar

from config.documents.base import Document
from config.documents.registry import load_document
from domain.aggregation.operations import exact_json
from tables.documents import Documents

D = TypeVar("D")


def in_force(documents: Documents, cls: type[D], kind: str) -> list[D]:
    """By name. Raises DocumentError for one that this version of the product can't read."""
    names = sorted(name for of, name in list(documents.history) if of == kind)
    versions = (documents.version_at(kind, name, documents.revision) for name in names)
    loaded = (_loaded(version.document or "") for version in versions if version is not None)
    return [document for document in loaded if isinstance(document, cls)]


@lru_cache(maxsize=1_000)
def _loaded(text: str) -> Document:
    return load_document(exact_json(text.encode()))
