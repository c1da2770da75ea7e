"""Records tried against a document; nothing of it is kept."""

from collections.abc import Mapping, Sequence

from app import shapes
from app.cli.trial import Trial
from config.documents.base import DocumentError, Problem
from domain.aggregation.document import Aggregator


def tried(document: Aggregator, records: Sequence[bytes], now_ms: int) -> shapes.Trial:
    """What they would do, all of them arriving at `now_ms`."""
    outcome = Trial(document, now_ms, document.input).run(enumerate(records))
    return shapes.Trial(
        sessions=outcome.sessions,
        flushed=outcome.flushed,
        rejected=[shapes.Rejected(*refused) for refused in outcome.rejected],
        filtered=outcome.filtered,
    )


def aggregator_of(loaded: object, body: Mapping[str, object]) -> Aggregator:
    """The document if it is an aggregator; else raises DocumentError."""
    if not isinstance(loaded, Aggregator):
        raise DocumentError([Problem("kind", body.get("kind"), "aggregator: it takes records")])
    return loaded
