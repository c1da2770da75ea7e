"""What is asked of a document only when it is applied: it could be followed, and is unwise.

A stored document is read without these (`registry.load_stored`), so that a release which asks for
more changes nothing that is in force. What a document can't be followed without stays in its
loader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from config.documents.base import Document, Problem
from domain.aggregation.document import Aggregator
from domain.campaigns.document import CampaignAlert
from domain.metrics.alerting import MetricAlert
from domain.metrics.calculating import circle
from domain.metrics.expression import Calculated


def policies(document: Document, data: Mapping[str, object]) -> list[Problem]:
    """Everything that speaks against bringing it into force; it was read from `data`."""
    if isinstance(document, Aggregator):
        return _feeds_itself(document, data)
    if isinstance(document, CampaignAlert | MetricAlert):
        return _addresses(document.to)
    return []


def _addresses(to: Sequence[str]) -> list[Problem]:
    return [
        Problem(f"to[{n}]", one, "a mail address like ann@example.com")
        for n, one in enumerate(to)
        if "@" not in one.strip("@")
    ]


def among(document: Document, others: Iterable[Document]) -> list[Problem]:
    """What speaks against it beside the documents in force, of which it may take one's place."""
    if not isinstance(document, Calculated):
        return []
    texts = {one.name: one.expression for one in others if isinstance(one, Calculated)}
    way = circle(document.name, {**texts, document.name: document.expression})
    if way is None:
        return []
    expected = f"metrics that don't come back to {document.name}: it would be made of itself by way"
    return [Problem("expression", document.expression, f"{expected} of {' -> '.join(way)}")]


def _feeds_itself(aggregator: Aggregator, data: Mapping[str, object]) -> list[Problem]:
    if aggregator.output.topic != aggregator.input:
        return []
    expected = "a topic for the output that is not the input: it would feed itself"
    return [Problem("output.topic" if "output" in data else "input", aggregator.input, expected)]
