"""Which addresses outside may be reached: public ones, and what the settings allow besides.

Private, link-local, metadata and other special networks are refused, so that a document can't make
a worker ask what only the worker can reach. A name is resolved once, and the address that was
looked at is the one that is used.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from domain.errors import SluiceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Forbidden(SluiceError):
    """An address that must not be reached."""

    def __init__(self, host: str, address: str) -> None:
        self.host = host
        self.address = address
        shown = host if host == address else f"{host} ({address})"
        super().__init__(
            f"{shown} is not a public address; add it to SLUICE_OUTBOUND_ALLOW if it may be reached"
        )


class Unresolved(SluiceError):
    """A name without an address."""

    def __init__(self, host: str, detail: str) -> None:
        super().__init__(f"host {host!r} is not known: {detail}")


class Outbound:
    """`allow`: names of hosts, addresses and networks. `loopback`: whether this machine's own."""

    def __init__(self, allow: Iterable[str] = (), *, loopback: bool = False) -> None:
        self._loopback = loopback
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for item in allow:
            try:
                self._networks.append(ipaddress.ip_network(item.strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(_name(item))

    def allows(self, host: str, address: str) -> bool:
        """Whether the address, found under this name, may be reached."""
        if _name(host) in self._hosts:
            return True
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if any(found in network for network in self._networks if network.version == found.version):
            return True
        if found.is_loopback:
            return self._loopback
        return found.is_global and not found.is_multicast

    async def resolve(self, host: str, port: int, family: int = 0) -> list[ResolveResult]:
        """The addresses of the host that may be reached, at least one. Raises Forbidden or
        Unresolved."""
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(
                host.strip("[]"), port, type=socket.SOCK_STREAM, family=family
            )
        except (OSError, UnicodeError) as error:
            raise Unresolved(host, getattr(error, "strerror", None) or str(error)) from None
        found = [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, sockaddr in infos
        ]
        allowed = [each for each in found if self.allows(host, each["host"])]
        if not allowed:
            raise Forbidden(host, found[0]["host"] if found else host)
        return allowed

    def check(self, url: str) -> None:
        """Raises Forbidden for an address that is written out in the URL; names are looked at when
        they are resolved."""
        host = urlsplit(url).hostname or ""
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return
        if not self.allows(host, host):
            raise Forbidden(host, host)


class OutboundResolver(AbstractResolver):
    """aiohttp's resolver by these rules. aiohttp does not ask it for written-out addresses: call
    `Outbound.check` before."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See `Outbound.resolve`."""
        return await self._outbound.resolve(host, port, family)

    async def close(self) -> None:
        """Holds nothing."""


def _name(host: str) -> str:
    return host.strip().rstrip(".").lower()


def _plain(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes as itself: mapped, 6to4, NAT64."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
