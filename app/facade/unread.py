"""Documents that are out of service, as the Overview tells of them."""

from collections.abc import Iterator

from app.shapes import Trouble
from tables.documents import Documents
from tables.in_force import out_of_service


def unread(documents: Documents) -> Iterator[tuple[str, Trouble]]:
    """One trouble a document, about its kind and name."""
    for lost in out_of_service(documents):
        title = f"{lost.kind}/{lost.name}"
        means = "What it would take waits, and is not lost."
        topic = documents.unread.get((lost.name, lost.version))
        if lost.kind == "aggregator" and topic is not None:
            means = f"Nothing is taken from topic {topic.input}, also by others; nothing is lost."
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
