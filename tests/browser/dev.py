"""A console on made-up data, to look at: `python -m tests.browser.dev --data big --port 6070`."""

import argparse
import sys
from dataclasses import dataclass

from aiohttp import web

from app.shapes import ClockInfo
from app.web.server import make_web
from config.clock import SystemClock
from domain.clock import FixedClock
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.made import NOW_MS


@dataclass(frozen=True)
class DevSettings:
    """What the web layer needs of the settings."""

    web_host: str = "127.0.0.1"
    web_port: int = 6070
    max_record_bytes: int = 1 << 20
    max_upload_bytes: int = 1 << 32
    app_id: str = "sluice"
    topic_prefix: str = ""
    feed_tokens: tuple[str, ...] = ()


class RunningClock(FixedClock):
    """Runs from a fixed instant on, so that pages move but look the same every time."""

    def __init__(self, start_ms: int) -> None:
        super().__init__(start_ms)
        self._system = SystemClock()
        self._begun_ms = self._system.now_ms()

    def now_ms(self) -> int:
        """The start plus what has passed."""
        return super().now_ms() + self._system.now_ms() - self._begun_ms


def main() -> int:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=["none", "little", "big"], default="little")
    parser.add_argument("--port", type=int, default=6070)
    parser.add_argument("--trial", action="store_true", help="shows a trial clock")
    arguments = parser.parse_args()
    clock = RunningClock(NOW_MS)
    backend = CampaignsShown(arguments.data, clock)
    if arguments.trial:
        backend.clock_shown = ClockInfo(NOW_MS, trial=True, speed=0)
    app = make_web(backend, DevSettings(web_port=arguments.port), clock)
    web.run_app(app, host="127.0.0.1", port=arguments.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
