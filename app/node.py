"""A process of the product: a worker, what the others know of it, and its web port."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from aiohttp import web

from agents.ending import end
from app import listening
from app.cluster.beat import Beat, State
from app.cluster.members import Alone, Following
from app.cluster.peers import route
from app.facade.campaign_figures import waits
from app.facade.facade import Facade
from app.facade.parts import Parts
from app.people.journal import TopicJournal
from app.people.oidc import Oidc, OidcSettings
from app.people.people import People
from app.testing import kill_switch
from app.trail.trail import TopicTrail
from app.web.server import make_web
from app.worker import Worker
from config.allocating import give_back_buffers
from config.clock import system_ms
from config.collecting import collect_seldom
from config.settings import Settings

logger = logging.getLogger(__name__)
STOP_S = 8.0  # supervisors commonly kill after ten
CANCELLED_S = 1.0  # for what then is cancelled
CLOSE_S = 1.0  # what requests under way get to finish

Beside = Callable[[Facade], Coroutine[None, None, None]]
"""What runs beside the worker until it ends."""


class Node:
    """One process. `port`: where to listen instead of a free one, when the settings say 0."""

    def __init__(
        self,
        settings: Settings,
        roles: Sequence[str],
        *,
        instance_id: str | None = None,
        port: int = 0,
    ) -> None:
        self._settings = settings
        self._worker = Worker(
            settings, roles, instance_id=instance_id, on_step=kill_switch(os.environ)
        )
        self._place = listening.place(settings)
        self._port = settings.web_port or port
        self._runner: web.AppRunner | None = None
        self._members: Alone | Following | None = None
        self._facade: Facade | None = None
        self._site: web.SockSite | None = None
        self._people: People
        self._trail: TopicTrail | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.overdue = False  # something did not stop: end the process, don't wait for it

    @property
    def port(self) -> int:
        """Where it listens, once it does."""
        return self._port

    async def run(self, started: Callable[["Node"], None], beside: Beside | None = None) -> None:
        """Runs until a signal or a failure, which is raised. Calls `started` when it listens."""
        give_back_buffers()
        self._take_signals()
        try:
            if await self._start():
                started(self)
                facade = self._facade
                if beside is not None and facade is not None:
                    self._spawn(beside(facade))
                await self._worker.ended.wait()
        finally:
            await self._stop_in_time()
        if self._worker.failure is not None:
            raise self._worker.failure

    def remarks(self) -> list[str]:
        """What a person should know about how it runs."""
        return [self._place.remark] if self._place.remark else []

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.add(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._crash(error)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            if self._worker.ended.is_set():
                os._exit(1)  # asked twice: what is durable is durable
            self._worker.ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)

    async def _start(self) -> bool:
        """False when it was told to stop meanwhile."""
        try:
            sock = listening.bound(self._place.host, self._port)
        except listening.PortTaken:
            await self._until_ended(self._worker.start())  # what is wrong with it comes first
            raise
        try:
            if not await self._until_ended(self._worker.start()):
                return False
            await self._serve(sock)
        except BaseException:
            sock.close()
            raise
        collect_seldom()
        return True

    async def _until_ended(self, work: Awaitable[None]) -> bool:
        """Whether the work was done before the worker was told to end."""
        task = asyncio.ensure_future(work)
        ended = asyncio.ensure_future(self._worker.ended.wait())
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if task.done():
            await task
            return not self._worker.ended.is_set()
        await end(task)
        return False

    async def _serve(self, sock: socket.socket) -> None:
        worker, settings = self._worker, self._settings
        self._port = sock.getsockname()[1]
        self.url = listening.url_of(self._place.host, self._port)
        if settings.brokers:
            self._members = Following(worker.log, worker.names.workers, self._own)
        else:
            self._members = Alone(self._own)
        parts = Parts(
            worker=worker.id,
            roles=worker.roles,
            settings=settings,
            clock=worker.clock,
            log=worker.log,
            documents=worker.documents,
            engine=worker.engine,
            sinks=worker.sinks,
            members=self._members,
            catch_up=worker.catch_up,
            campaigns=worker.campaigns,
            collector=worker.collector,
            rollups=worker.rollups,
            insight=worker.insight,
            recoveries=worker.recoveries,
            impressions=worker.impressions,
            standbys=worker.standbys,
            any_users=lambda: self._people.any_users,
        )
        self._people = People(lambda take: TopicJournal(worker.log, worker.names.people, take))
        await self._people.start(settings.admin_password)
        self._spawn(self._people.follow())
        folder = settings.data_dir / "views"
        self._trail = TopicTrail(worker.log, worker.names.audit, folder)
        self._facade = Facade(parts, self._crash, settings.cluster_secret)
        self._facade.meet(self._people)
        await self._members.start()
        await self._facade.start()
        oidc = None
        if settings.oidc_issuer:
            oidc = Oidc(OidcSettings(
                settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret,
                settings.oidc_role_claim,
            ))  # fmt: skip
        app = make_web(self._facade, settings, worker.clock, self._people, self._trail, oidc)
        if settings.brokers:  # else there is nobody who asks
            app.router.add_routes([route(self._facade.local.questions, settings.cluster_secret)])
        if self._place.guarded:
            app.middlewares.append(listening.guard)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, sock)
        await self._site.start()
        if listening.place(settings, any_users=True) != self._place:
            await self._move()

    async def _move(self) -> None:
        """To the host of the settings once there is a user: at once, or when the first is added."""
        if self._people.any_users:
            await self._listen_there()
        else:
            self._spawn(self._move_later())

    async def _move_later(self) -> None:
        await self._people.first_user.wait()
        await self._listen_there()
        logger.info("a user is set up: the console listens on %s now", self.url)

    async def _listen_there(self) -> None:
        """Listens on the host of the settings instead, on the same port; what is connected stays.
        Raises PortTaken when somebody else has that port there.
        """
        before, self._place = self._place, listening.place(self._settings, any_users=True)
        if before.host != self._place.host and self._runner is not None:
            if self._site is not None:
                await self._site.stop()
            sock = listening.bound(self._place.host, self._port)
            self._site = web.SockSite(self._runner, sock)
            await self._site.start()
        self.url = listening.url_of(self._place.host, self._port)

    def _crash(self, error: BaseException) -> None:
        self._tasks.add(asyncio.create_task(self._worker.fail(error)))

    def _own(self) -> Beat:
        """What this worker tells the others."""
        worker = self._worker
        owned = worker.engine.shards.owned
        opening = sorted(set(owned) - set(worker.engine.shards.opened))
        flows = worker.campaigns.work.shards
        opening_campaigns = sorted(set(flows.owned) - set(flows.opened))
        state: State = "ready"
        detail = ""
        if not worker.assigned:
            state, detail = "starting", "The worker waits for its partitions."
        elif opening:
            which = ", ".join(map(str, opening))
            state, detail = "recovering", f"State is being recovered: partition {which}."
        elif opening_campaigns:
            which = ", ".join(map(str, opening_campaigns))
            state, detail = "recovering", f"Campaigns are being recovered: partition {which}."
        else:
            detail = " ".join(waits(worker.campaigns))
        return Beat(
            worker.id,
            self.url,
            worker.roles,
            tuple(owned),
            tuple(sorted(worker.engine.assigned)),
            worker.documents.revision,
            state,
            detail,
            system_ms(),
            "" if worker.membership is None else worker.membership.member,
        )

    async def _stop_in_time(self) -> None:
        """Stops; what goes wrong in that is told, and does not hide why the worker ended.

        What does not even end when it is cancelled (a client whose server is away) is left behind:
        the process must end then (`overdue`).
        """
        task = asyncio.create_task(self._stop())
        await asyncio.wait((task,), timeout=STOP_S)
        if not task.done():
            logger.error("not stopped within %g s; what is durable is safe", STOP_S)
            task.cancel()
            await asyncio.wait((task,), timeout=CANCELLED_S)
        self.overdue = not task.done()
        error = None if self.overdue or task.cancelled() else task.exception()
        if error is not None:
            logger.warning("while stopping: %r", error)
            self._worker.failure = self._worker.failure or error

    async def _stop(self) -> None:
        await end(*self._tasks)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._facade is not None:
            await self._facade.stop()
        if self._trail is not None:
            await self._trail.stop()
        if self._members is not None:
            await self._members.stop()
        await self._worker.stop()
