"""Streams: where records come from and go to. `open_log` chooses by the URL in the settings."""

from config.settings import Settings
from connectors.streams.base import Log
from domain.clock import Clock


def open_log(settings: Settings, clock: Clock) -> Log:
    """The log that `settings.stream` names, not started yet.

    Imports are lazy: a Kafka client is not loaded for the embedded stream, nor the reverse.
    """
    if settings.stream.startswith("kafka://"):
        from connectors.streams.kafka.log import KafkaLog

        return KafkaLog(settings, clock)
    from connectors.streams.embedded.log import EmbeddedLog

    return EmbeddedLog(settings.data_dir / "log", clock)
