"""A console on the fake backend, served by a thread of its own."""

import asyncio
import threading
from types import TracebackType

from aiohttp import web

from app.web.server import make_web
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.fake import Size
from tests.browser.dev import DevSettings

START_S = 20.0


class Console:
    """Serves from entering to leaving; `backend` may be changed by a test meanwhile."""

    def __init__(self, size: Size) -> None:
        self.backend = CampaignsShown(size)
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Console":
        self._thread.start()
        if not self._up.wait(START_S):
            raise TimeoutError("the console did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)

    def _serve(self) -> None:
        app = make_web(self.backend, DevSettings(), self.backend.clock)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()
