"""Which addresses may be reached."""

import asyncio
import socket

import pytest

from connectors.outbound import Forbidden, Outbound, OutboundResolver, Unresolved

REFUSED = [
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "fe80::1", "fd00::1", "::", "ff02::1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::",
    "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1",
]  # fmt: skip
LOCAL = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", REFUSED)
def test_special_networks_are_refused(address: str) -> None:
    assert not Outbound().allows(address, address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    assert Outbound().allows(address, address)


@pytest.mark.parametrize("address", REFUSED)
def test_loopback_alone_is_open_when_it_is_said_so(address: str) -> None:
    assert Outbound(loopback=True).allows(address, address) == (address in LOCAL)


def test_hosts_addresses_and_networks_can_be_allowed() -> None:
    outbound = Outbound(["billing.internal", "10.1.0.0/16", "fd00::/8", "192.168.1.7"])
    assert outbound.allows("billing.internal", "10.9.9.9")
    assert outbound.allows("BILLING.internal.", "10.9.9.9")
    assert not outbound.allows("evil.billing.internal", "10.9.9.9")
    assert outbound.allows("x", "10.1.200.3")
    assert not outbound.allows("x", "10.2.0.1")
    assert outbound.allows("x", "fd12::1")
    assert outbound.allows("x", "192.168.1.7")
    assert outbound.allows("x", "::ffff:10.1.0.1")


def _resolving(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name service that knows these; returns what it was asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if host not in addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (addresses[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving({"inside.example": "10.0.0.7"}, monkeypatch)
    with pytest.raises(Forbidden, match=r"inside.example \(10.0.0.7\).*SLUICE_OUTBOUND_ALLOW"):
        asyncio.run(OutboundResolver(Outbound(loopback=True)).resolve("inside.example", 80))


def test_a_name_is_resolved_once_and_that_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _resolving({"out.example": "8.8.8.8"}, monkeypatch)
    (found,) = asyncio.run(Outbound().resolve("out.example", 443))
    assert (found["host"], found["hostname"], found["port"]) == ("8.8.8.8", "out.example", 443)
    assert asked == ["out.example"]


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving({}, monkeypatch)
    with pytest.raises(Unresolved, match="nowhere"):
        asyncio.run(Outbound().resolve("nowhere.example", 443))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[fd00::1]:80/", "http://10.0.0.1"]
)
def test_an_address_written_out_is_looked_at_too(url: str) -> None:
    with pytest.raises(Forbidden):
        Outbound(loopback=True).check(url)
