"""Topics that the product itself writes: what stands there is taken for its word."""

from app.backend import Backend
from app.web.roles import ADMINS_TOPICS


def is_written(backend: Backend, topic: str) -> bool:
    """Whether only admins append to the topic: one of the product's own, or one that an aggregator
    names as its output, now or before. An operator would forge what is billed by it.
    """
    return topic in ADMINS_TOPICS or topic in backend.output_topics()
