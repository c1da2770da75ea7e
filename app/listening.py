"""Where the console listens, and who may ask it while there are no users.

Without users whoever reaches the console is its admin, so it is for its own machine only: with
another host it listens on 127.0.0.1 all the same, and moves there when the first user is added.
With SLUICE_CLUSTER_SECRET it listens where it was told to, since other workers must reach it; from
other machines it then answers them alone.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from app.cluster.peers import PATH
from app.web.people import PEOPLE
from config.settings import Settings
from domain.errors import UsageError

LOOPBACK = "127.0.0.1"
OPEN = (PATH, "/health/", "/hooks/")
EVERYWHERE = ("0.0.0.0", "::")


class PortTaken(UsageError):
    """Another process listens there (exit 2). `number`: why, as the system counts errors."""

    def __init__(self, host: str, port: int, detail: str, number: int = 0) -> None:
        self.number = number
        super().__init__(
            f"can't listen on {host} port {port}: {detail}",
            "set SLUICE_WEB_PORT to another one; 0 takes a free one",
        )


@dataclass(frozen=True)
class Place:
    """Where it listens. `guarded`: other machines get calls between workers answered, and no
    more. `remark` says what is otherwise than the settings have it."""

    host: str
    guarded: bool = False
    remark: str = ""


def place(settings: Settings, any_users: bool = False) -> Place:
    """By the settings, and whether a user is set up."""
    host = settings.web_host
    if is_loopback(host) or any_users:
        return Place(host)
    if settings.cluster_secret:
        remark = f"without users, the console on {host} answers this machine only"
        return Place(host, True, remark)
    return Place(LOOPBACK, False, f"without users, the console listens on {LOOPBACK}, not {host}")


def bound(host: str, port: int) -> socket.socket:
    """A socket that nobody can take any more; it doesn't listen yet. Raises PortTaken."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        raise PortTaken(host, port, error.strerror or str(error), error.errno or 0) from None
    return made


def url_of(host: str, port: int) -> str:
    """The address for whoever asks from where it listens; by name when it listens everywhere."""
    if host in EVERYWHERE:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can ask there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses other machines while there is no user, but for calls between workers (signed), hooks
    (signed) and health.
    """
    people = request.app[PEOPLE]
    if people.any_users or request.path.startswith(OPEN):
        return await handler(request)
    if not is_loopback(request.remote or ""):
        raise web.HTTPForbidden(text="Without users the console answers its own machine only.")
    return await handler(request)
