"""The two stream transports as Faust knows them: by the scheme of the broker URL."""

from faust.transport.drivers import TRANSPORTS

SCHEMES = {
    "sluice-embedded": "connectors.streams.embedded.transport:Transport",
    "sluice-kafka": "connectors.streams.kafka.transport:Transport",
}


def register() -> None:
    """Makes `sluice-embedded://` and `sluice-kafka://` known to Faust; may be called again.

    Faust imports a transport when an app with its scheme first needs it.
    """
    TRANSPORTS.aliases.update(SCHEMES)
