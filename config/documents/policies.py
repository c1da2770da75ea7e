"""What is asked of a document only when it is applied: it could be followed, and is unwise.

A stored document is read without these (`registry.load_stored`), so that a release which asks for
more changes nothing that is in force. What a document can't be followed without stays in its
loader.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.documents.base import Document, Problem
from domain.aggregation.document import Aggregator


def policies(document: Document, data: Mapping[str, object]) -> list[Problem]:
    """Everything that speaks against bringing it into force; it was read from `data`."""
    return _feeds_itself(document, data) if isinstance(document, Aggregator) else []


def _feeds_itself(aggregator: Aggregator, data: Mapping[str, object]) -> list[Problem]:
    if aggregator.output.topic != aggregator.input:
        return []
    expected = "a topic for the output that is not the input: it would feed itself"
    return [Problem("output.topic" if "output" in data else "input", aggregator.input, expected)]
