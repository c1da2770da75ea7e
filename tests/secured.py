"""A broker that asks who one is, by TLS: what it takes to start one, and to be let in."""

import socket
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from scripts.house.kafka import Kafka

USER, PASSWORD = "sluice", "a-word-for-tests"

PROPERTIES = """\
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},{both}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},{both}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,SASL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={pem}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required \
 user_{user}="{password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
"""
MODULE = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Secured:
    """A broker with listeners for TLS alone and for TLS with a user; `ca_file` signed it."""

    broker: Kafka
    ca_file: Path
    ports: dict[str, int]

    def settings(self, mechanism: str = "", password: str = PASSWORD) -> dict[str, str]:
        """What tells Sluice of it, by the names of its settings; no mechanism: TLS alone."""
        protocol = "SASL_SSL" if mechanism else "SSL"
        said = {
            "stream": f"kafka://localhost:{self.ports[protocol]}",
            "kafka_security_protocol": protocol,
            "kafka_ca_file": str(self.ca_file),
        }
        if mechanism:
            said["kafka_sasl_mechanism"] = mechanism
            said |= {"kafka_sasl_username": USER, "kafka_sasl_password": password}
        return said


def secured(folder: Path, more: str = "") -> Secured:
    """One that isn't started yet; its data, ports and certificate live in `folder`. `more`:
    properties besides."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    ca_file, pem = folder / "ca.pem", folder / "broker.pem"
    authority.cert_pem.write_to_path(ca_file)
    pem.write_bytes(_key_and_chain(authority.issue_cert("localhost")))
    plain, controller, tls, sasl = _free_ports(4)
    (folder / "ports").write_text(f"[{plain}, {controller}]")
    properties = PROPERTIES.format(
        plain=plain,
        controller=controller,
        both=f"TLS://localhost:{tls},SASL://localhost:{sasl}",
        pem=pem,
        module=MODULE,
        user=USER,
        password=PASSWORD,
    )
    storage = []
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        storage += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    return Secured(
        Kafka(folder, properties + more, storage), ca_file, {"SSL": tls, "SASL_SSL": sasl}
    )


def _key_and_chain(issued: trustme.LeafCert) -> bytes:
    """As a broker reads it: the key in PKCS 8, before the certificates."""
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    parts = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    return b"".join(parts + [each.bytes() for each in issued.cert_chain_pems])


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
