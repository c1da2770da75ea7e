"""What handlers find on the application: the backend, the settings and the clock."""

from typing import Final, Protocol

from aiohttp import web

from app.backend import Backend
from domain.clock import Clock


class WebSettings(Protocol):
    """The settings the web layer looks at; `config.settings.Settings` is one."""

    @property
    def web_host(self) -> str:
        """The address listened on."""

    @property
    def web_port(self) -> int:
        """The port listened on, 0 when a free one is picked."""

    @property
    def max_record_bytes(self) -> int:
        """The largest record taken over HTTP."""

    @property
    def max_upload_bytes(self) -> int:
        """The largest file taken over HTTP."""

    @property
    def app_id(self) -> str:
        """The installation's id, which internal topics begin with."""

    @property
    def topic_prefix(self) -> str:
        """What the physical names of public topics begin with."""

    @property
    def feed_tokens(self) -> tuple[str, ...]:
        """The tokens that open the feeds."""


BACKEND: Final = web.AppKey[Backend]("backend")
SETTINGS: Final = web.AppKey[WebSettings]("settings")
CLOCK: Final = web.AppKey[Clock]("clock")
