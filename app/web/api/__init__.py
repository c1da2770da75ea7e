"""The HTTP API, one file an area. A new area is one file and one line here."""

from app.web.api import (
    aggregators,
    commands,
    dead_letter_replay,
    dead_letters,
    document_reads,
    documents,
    explanations,
    health,
    overview,
    previews,
    reconciliation,
    records_in,
    records_out,
    reference,
    sinks,
    state,
    tables,
    topics,
)
from app.web.routes import Route

ROUTES: tuple[Route, ...] = (
    *records_in.ROUTES,
    *records_out.ROUTES,
    *topics.ROUTES,
    *previews.ROUTES,
    *document_reads.ROUTES,
    *documents.ROUTES,
    *aggregators.ROUTES,
    *explanations.ROUTES,
    *reconciliation.ROUTES,
    *commands.ROUTES,
    *dead_letters.ROUTES,
    *dead_letter_replay.ROUTES,
    *sinks.ROUTES,
    *tables.ROUTES,
    *state.ROUTES,
    *overview.ROUTES,
    *health.ROUTES,
    *reference.ROUTES,
)
