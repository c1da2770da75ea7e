"""Sign-in, TLS, and what the errors of the Kafka client are called here."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import errors

from config.settings import Settings
from connectors.streams.base import StreamUnavailable, UnknownTopic
from connectors.streams.kafka.connection import client_options, security_options, told

SETTINGS = Settings(stream="kafka://a:9092,b:9093", app_id="acme")


def test_clients_know_all_brokers_and_say_who_they_are() -> None:
    options = client_options(SETTINGS, "log")
    assert options["bootstrap_servers"] == ["a:9092", "b:9093"]
    assert options["client_id"] == "acme-log"


def test_plain_text_needs_neither_user_nor_certificate() -> None:
    assert security_options(SETTINGS) == {"security_protocol": "PLAINTEXT"}


def test_sign_in_over_tls_carries_user_and_certificates() -> None:
    settings = replace(
        SETTINGS,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="worker",
        kafka_sasl_password="secret",
    )
    options = security_options(settings)
    assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "secret",
    }


def test_unreadable_ca_file_is_named(tmp_path: Path) -> None:
    settings = replace(
        SETTINGS, kafka_security_protocol="SSL", kafka_ca_file=tmp_path / "absent.pem"
    )
    with pytest.raises(StreamUnavailable, match=r"SLUICE_KAFKA_CA_FILE .*absent\.pem"):
        security_options(settings)


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (errors.KafkaConnectionError("refused"), "SLUICE_STREAM"),
        (errors.SaslAuthenticationFailed("no"), "SLUICE_KAFKA_SASL_MECHANISM"),
        (errors.TopicAuthorizationFailedError("usage"), "that the user may read, write"),
        (errors.NotEnoughReplicasError(), r"min\.insync\.replicas"),
        (TimeoutError(), "advertised.listeners"),
    ],
)
def test_error_says_what_to_check(error: Exception, check: str) -> None:
    with pytest.raises(StreamUnavailable, match=f"kafka://a.*{check}") as caught, told("kafka://a"):
        raise error
    assert caught.value.__cause__ is error


def test_unknown_topic_is_named() -> None:
    with pytest.raises(UnknownTopic) as caught, told("kafka://a", "usage", 3):
        raise errors.UnknownTopicOrPartitionError
    assert (caught.value.topic, caught.value.partition) == ("usage", 3)


def test_mistake_in_our_own_code_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), told("kafka://a"):
        raise ValueError("mine")
