"""Every kind of document, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from config.documents.aggregator import load_aggregator
from config.documents.alert import load_alert
from config.documents.base import MISSING, Document, DocumentError, Problem, nearest
from config.documents.contact_policy import load_contact_policy
from config.documents.dashboard import load_dashboard
from config.documents.digest import load_digest
from config.documents.flow import load_flow
from config.documents.metric import load_metric
from config.documents.policies import policies
from config.documents.sink import load_sink
from config.documents.source import load_source

Loader = Callable[[Mapping[str, Any]], Document]

# kind -> what reads and validates a document of it
KINDS: dict[str, Loader] = {
    "aggregator": load_aggregator,
    "alert": load_alert,
    "contact_policy": load_contact_policy,
    "dashboard": load_dashboard,
    "digest": load_digest,
    "flow": load_flow,
    "metric": load_metric,
    "sink": load_sink,
    "source": load_source,
}


def load_document(data: object) -> Document:
    """The document that decoded YAML or JSON describes, which may come into force. Raises
    DocumentError with all problems.
    """
    document = load_stored(data)
    problems = policies(document, cast(Mapping[str, object], data))
    if problems:
        raise DocumentError(problems)
    return document


def load_stored(data: object) -> Document:
    """A document that was taken once, by whichever release: without what is asked of new ones
    alone (`policies.py`). Raises DocumentError where it says nothing that could be followed.
    """
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise DocumentError([Problem("", data, "an object with kind and name")])
    kind = data.get("kind", MISSING)
    loader = KINDS.get(kind) if isinstance(kind, str) else None
    if loader is None:
        raise DocumentError([Problem("kind", kind, nearest(str(kind), KINDS))])
    return loader(data)
