"""What-ifs at work and lately done, on the worker that was asked for them.

One runs at a time, others wait for it. What came of one is kept for a while in memory; its store
is a folder that is gone when it ends, or with the next one after a kill.
"""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

from agents.ending import end
from app.backend import Unavailable
from app.facade.documents import loaded
from app.facade.parts import Parts
from app.facade.trials import aggregator_of
from app.facade.whatif import Run
from app.history_shapes import Preview
from app.since import Since
from domain.aggregation.flush import to_json
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import SluiceError
from tables.store import RocksStore

logger = logging.getLogger(__name__)

KEPT_S = 1_800.0
MOST = 12  # kept, waiting and running together; one has 1,000 groups at most
MEMORY_BYTES = 24 << 20  # of the store: what is more is on the disk


@dataclass
class _Job:
    shown: Preview
    run: Run | None = None
    task: asyncio.Task[None] | None = None
    over_s: float | None = None

    def now(self) -> Preview:
        """As it is now."""
        run = self.run
        if run is None:
            return self.shown
        return replace(
            self.shown, records=run.records, read=run.read, from_ms=run.from_ms,
            now_ms=run.now_ms or self.shown.now_ms,
        )  # fmt: skip


class Previews:
    """Starts, tells of and stops what-ifs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._jobs: dict[str, _Job] = {}
        self._one = asyncio.Lock()
        self._folder = parts.settings.data_dir / "previews"

    async def start(self, body: Mapping[str, Any], since: Since, text: str) -> Preview:
        """Begins one. Raises DocumentError, and Unavailable while too many wait."""
        document = aggregator_of(loaded(body), body)
        await self._parts.catch_up()
        latest = self._parts.documents.latest("aggregator", document.name)
        in_force = latest if latest is not None and latest.document is not None else None
        version = 1 if latest is None else latest.version + 1
        if in_force is not None and in_force.document == to_json(dict(body)).decode():
            version = in_force.version
        self._make_room()
        now_ms = self._parts.clock.now_ms()
        job = _Job(
            Preview(
                token_hex(8), "waiting", document.name, document.input, document.output.topic, text,
                now_ms, now_ms, None if in_force is None else in_force.version, body,
            )
        )  # fmt: skip
        self._jobs[job.shown.id] = job
        job.task = asyncio.create_task(self._work(job, since, compile_rule(document, version)))
        job.task.add_done_callback(lambda task: _ended(job, task))
        return job.now()

    def _make_room(self) -> None:
        clock = asyncio.get_running_loop().time()
        over = sorted(
            (job.over_s, name) for name, job in self._jobs.items() if job.over_s is not None
        )
        for over_s, name in over:
            if clock - over_s > KEPT_S or len(self._jobs) >= MOST:
                del self._jobs[name]
        if len(self._jobs) >= MOST:
            raise Unavailable("the preview", f"{MOST} others wait for their turn", 30)

    async def _work(self, job: _Job, since: Since, rule: Rule) -> None:
        async with self._one:
            # nobody else is at work here: what is there was left by a process that was killed
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            store = await asyncio.to_thread(
                RocksStore, self._folder / job.shown.id, MEMORY_BYTES, durable=False
            )
            try:
                job.run = Run(self._parts, rule, since, store)
                job.shown = replace(job.shown, state="running")
                result = await job.run.go()
                job.shown = replace(job.now(), state="done", result=result)
            finally:
                store.close()
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def one(self, preview_id: str, wait_s: float) -> Preview | None:
        """A preview by its id, when it is over or `wait_s` is; None for one that isn't known here
        (any more)."""
        job = self._jobs.get(preview_id)
        if job is None:
            return None
        if job.task is not None and wait_s > 0:
            await asyncio.wait([job.task], timeout=wait_s)
        return job.now()

    def running(self) -> list[Preview]:
        """Those that are not over."""
        return [job.now() for job in self._jobs.values() if job.over_s is None]

    async def end(self, preview_id: str) -> Preview | None:
        """Stops one that is at work; None when it isn't known."""
        job = self._jobs.get(preview_id)
        if job is None:
            return None
        if job.task is not None and not job.task.done():
            await end(job.task)
        return job.now()

    async def stop(self) -> None:
        """Stops all of them."""
        for name in list(self._jobs):
            await self.end(name)


def _ended(job: _Job, task: asyncio.Task[None]) -> None:
    """Notes how a run ended; one that broke takes nothing else with it."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled():
        job.shown = replace(job.now(), state="stopped")
    elif error is not None:
        detail = str(error) if isinstance(error, SluiceError) else f"an internal error: {error!r}"
        job.shown = replace(job.now(), state="failed", detail=detail)
        if not isinstance(error, SluiceError):
            logger.error("a preview of %s broke", job.shown.aggregator, exc_info=error)
    job.run = None
    job.over_s = asyncio.get_running_loop().time()
