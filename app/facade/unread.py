"""Documents that are out of service, as the Overview tells of them."""

from collections.abc import Iterator

from app.shapes import Trouble
from domain.aggregation.document import Aggregator
from tables.documents import Documents
from tables.in_force import out_of_service

MEANS = {
    "flow": "Nobody is called under it, and it takes no uploads.",
    "contact_policy": "Nobody is called under the flows that it names.",
    "sink": "Records wait for it, and none is lost.",
    "source": "It goes on from its cursor when it is back.",
}
OTHERWISE = "It does nothing meanwhile; what is known of it stays."


def unread(documents: Documents) -> Iterator[tuple[str, Trouble]]:
    """One trouble a document, about its kind and name."""
    for lost in out_of_service(documents):
        title = f"{lost.kind}/{lost.name}"
        means = MEANS.get(lost.kind, OTHERWISE)
        aggregator = documents.unread.get((lost.name, lost.version))
        if lost.kind == Aggregator.kind and aggregator is not None:
            means = f"Nothing is taken from {aggregator.input}, by others neither; nothing is lost."
        yield (
            title,
            Trouble(
                "document-out-of-service",
                f"{title} version {lost.version} can't be followed by this release",
                f"{lost.reason}. {means}",
                "Apply a version that this release reads, or start the release that took it.",
                link="/configuration",
            ),
        )
