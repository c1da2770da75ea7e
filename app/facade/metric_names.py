"""Which metrics documents speak of, and by which dimensions: what a question may name."""

from domain.metrics.calculating import Formula
from domain.metrics.defaults import DEFAULTS
from domain.metrics.document import Metric
from domain.metrics.expression import Calculated
from domain.metrics.source import Source
from tables.documents import Documents
from tables.in_force import in_force, is_unread


def formula_of(documents: Documents, metric: str) -> Formula | None:
    """How a calculated metric is worked out; None for one of a source."""
    found = in_force(documents, Calculated, Calculated.kind)
    texts = {one.name: one.expression for one in found}
    return Formula(metric, texts) if metric in texts else None


def declared(documents: Documents, metric: str) -> list[tuple[Metric, str]]:
    """What sources in force say of a metric of theirs, each with the time zone of its source."""
    maps = [source.mapping for source in in_force(documents, Source, Source.kind)]
    return [(each, one.timezone) for one in maps for each in one.metrics if each.name == metric]


def may_be_any(documents: Documents) -> bool:
    """Whether a source in force may give metrics that nobody can tell beforehand: one of another
    package's connector, or one that is out of service.
    """
    sources = in_force(documents, Source, Source.kind)
    if any(one.connector not in DEFAULTS and not one.metrics for one in sources):
        return True
    names = [name for kind, name in list(documents.history) if kind == Source.kind]
    return any(is_unread(documents, Source.kind, name) for name in names)
