"""How every client of ours reaches Kafka, and what its errors are called here."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import errors
from aiokafka.helpers import create_ssl_context

from config.settings import Settings
from connectors.streams.base import StreamUnavailable, UnknownTopic

# A broker that takes longer than this over a request is taken for dead.
REQUEST_TIMEOUT_S = 20.0
# Topics and leaders that others changed are noticed within this time.
METADATA_MAX_AGE_S = 30.0
# Between two attempts at something that may work a moment later (an election, a new topic).
BACKOFF_S = 0.1


def client_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """What every aiokafka client takes: brokers, sign-in, TLS, timeouts.

    Raises StreamUnavailable when the CA file can't be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.brokers),
        "client_id": f"{settings.app_id}-{client_id}",
        "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
        "metadata_max_age_ms": int(METADATA_MAX_AGE_S * 1000),
        "retry_backoff_ms": int(BACKOFF_S * 1000),
    }
    return options | security_options(settings)


def security_options(settings: Settings) -> dict[str, Any]:
    """Sign-in and TLS as aiokafka's clients take them."""
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.startswith("SASL_"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password
    if protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    return options


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    file = None if settings.kafka_ca_file is None else str(settings.kafka_ca_file)
    try:
        context: ssl.SSLContext = create_ssl_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        detail = f"SLUICE_KAFKA_CA_FILE {file} can't be used: {error}"
        raise StreamUnavailable(settings.stream, detail) from error
    return context


@contextmanager
def told(where: str, topic: str = "", partition: int | None = None) -> Iterator[None]:
    """Turns the errors of aiokafka into ours; `where` is the stream's URL."""
    try:
        yield
    except errors.UnknownTopicOrPartitionError as error:
        raise UnknownTopic(topic, partition) from error
    except (errors.KafkaError, OSError) as error:  # TimeoutError is an OSError
        raise StreamUnavailable(where, *explained(error)) from error


def explained(error: BaseException) -> tuple[str, str]:
    """What happened, and what to check."""
    name, text = type(error).__name__, str(error)
    what = text if name in text else f"{name} {text}".strip()
    for kinds, check in _CHECKS:
        if isinstance(error, kinds):
            return what, f"check {check}"
    return what, ""


_CHECKS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        "SLUICE_KAFKA_CA_FILE: it must hold the authority that signed the broker's certificate, "
        "and the certificate must name the host as SLUICE_STREAM does",
    ),
    (
        (
            errors.SaslAuthenticationFailed,
            errors.UnsupportedSaslMechanismError,
            errors.IllegalSaslStateError,
        ),
        "SLUICE_KAFKA_SASL_MECHANISM, …_USERNAME and …_PASSWORD",
    ),
    (
        (
            errors.TopicAuthorizationFailedError,
            errors.GroupAuthorizationFailedError,
            errors.ClusterAuthorizationFailedError,
        ),
        "that the user may read, write, describe and create the topics and use the group",
    ),
    (
        (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError),
        "that enough brokers are up for the topic's min.insync.replicas",
    ),
    (
        (
            errors.KafkaConnectionError,
            errors.NodeNotReadyError,
            errors.RequestTimedOutError,
            OSError,
        ),
        "that a broker runs at SLUICE_STREAM, that its advertised.listeners can be reached from "
        "here, and that SLUICE_KAFKA_SECURITY_PROTOCOL is what it asks for",
    ),
)
