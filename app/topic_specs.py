"""The product's topics as a stream makes them."""

from config.topics import Topic
from connectors.streams.base import TopicSpec


def spec_of(topic: Topic) -> TopicSpec:
    """A topic as the stream makes it."""
    return TopicSpec(
        name=topic.name,
        partitions=topic.partitions,
        compact=topic.compact,
        retention_ms=topic.retention_ms,
        max_message_bytes=topic.max_message_bytes,
        log_append_time=topic.log_append_time,
    )
