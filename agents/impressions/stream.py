"""Impressions in the stream: what is asked for, or found, becomes a job; jobs run one by one.

`impression-events` has one partition; who is assigned it runs the jobs of the installation. An
event is acknowledged once its job is in the queue (see `tables/impressions.py`). A job runs step by
step on a thread; a step is noted when it has been committed and told. What a kill interrupted is
run again: a step that was committed is seen in its table.

What can't be done now (S3 away, a table that another step works on) is tried again until it can;
nothing behind it overtakes it. What can't be done at all fails, and the next job begins.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from agents.ending import end
from agents.impressions.incoming import Incoming, loaded
from agents.impressions.missing import MissingDays
from agents.impressions.running import Failure, Outcome, Running, Watched, tried
from agents.impressions.stopping import Stop, Stopped
from agents.letters import Letter
from connectors.files.base import FilesError
from domain.aggregation.instants import print_instant
from domain.clock import Clock
from domain.errors import Reject
from domain.impressions.events import EVENTS, State, StepProgress, StepStatus, asked, encode
from domain.impressions.jobs import (
    Job,
    JobState,
    gone,
    next_open,
    of_event,
    of_object,
    past,
    unknown,
)
from tables.impressions import ImpressionsLog
from tables.ledger_book import Output
from tables.stream import Item

logger = logging.getLogger(__name__)
AGAIN_S = 5.0  # until what could not be done is tried again
PROGRESS_S = 2.0  # between two events about a step's progress
LOOK_S = 30.0  # between two looks at the days that have come
FOUND_AT_ONCE = 500  # objects that are put into the queue by one append


@dataclass(frozen=True)
class StreamMeans:
    """What a shard needs. `send` appends to public topics, durable when it returns; `fail` hears of
    what must end the worker. `days` None: nobody misses one."""

    running: Running
    incoming: Incoming
    clock: Clock
    send: Callable[[list[Output]], Awaitable[None]]
    fail: Callable[[BaseException], None]
    poll_s: float
    days: MissingDays | None = None
    again_s: float = AGAIN_S


class ImpressionsShard:
    """See the module. Made with a log that is open; `go` starts it."""

    def __init__(self, log: ImpressionsLog, means: StreamMeans) -> None:
        self.log = log
        self.now: tuple[Job, Watched] | None = None
        self.trouble = ""
        self._means = means
        self._stop = Stop()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "impressions-step")
        self._tasks: list[asyncio.Task[None]] = []

    def go(self) -> None:
        """Begins to work, and to look for objects."""
        for work in (self._run(), self._poll(), self._watch()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Stopped):
            self._stop.tell()
            self._means.fail(error)

    async def still_ours(self) -> bool:
        """See `Opened`."""
        return await self.log.still_ours()

    def close(self) -> None:
        """See `Opened`. A step under way ends at its next block, and leaves nothing."""
        self._stop.tell()
        for task in self._tasks:
            task.cancel()
        self._thread.shutdown(wait=False)

    async def finish(self) -> None:
        """After `close`: returns when nothing of it runs any more, steps included."""
        await end(*self._tasks)
        await asyncio.to_thread(self._thread.shutdown)

    # Events

    async def apply(self, number: int, items: Sequence[Item]) -> None:
        """Puts what the events ask for into the queue; those taken before change nothing."""
        jobs: list[Job] = []
        letters: list[Output] = []
        now_ms, place = self._means.clock.now_ms(), self.log.next_number
        for offset, _, _, value, _ in items:
            if offset < self.log.applied or value is None:
                continue
            try:
                event = asked(value)
            except Reject as reject:
                letters.append(_letter(number, offset, value, reject, now_ms))
                continue
            if event is not None:
                jobs.append(of_event(event, offset, place + len(jobs), now_ms))
        if not jobs and not letters:
            return  # the product's own
        if letters:
            await self._means.send(letters)
        await self.log.put(jobs, applied=items[-1][0] + 1)
        for job in jobs:
            await self._tell(job, "", "queued")
        self._wake.set()

    # Objects

    async def _poll(self) -> None:
        while True:
            try:
                await self.look()
                self.trouble = ""
            except FilesError as error:
                if not self.trouble:
                    logger.warning("new files of impressions can't be looked for: %s", error)
                self.trouble = str(error)
            await asyncio.sleep(self._means.poll_s)

    async def look(self) -> None:
        """Puts objects that nobody knows into the queue; forgets those that are gone. Raises
        FilesError."""
        means = self._means
        there, found = await asyncio.to_thread(means.incoming.look)
        away, fresh = gone(there, self.log.jobs), unknown(found, self.log.jobs)
        known = await asyncio.to_thread(loaded, means.running.files) if fresh else set()
        for at in range(0, len(fresh), FOUND_AT_ONCE):
            place, jobs = self.log.next_number, list[Job]()
            for seen in fresh[at : at + FOUND_AT_ONCE]:
                job = of_object(seen, place + len(jobs), means.clock.now_ms())
                if seen in known:
                    job = msgspec.structs.replace(job, state="done", ended_ms=job.queued_ms)
                jobs.append(job)
            await self.log.put(jobs)
            for job in jobs:
                if job.open:
                    await self._tell(job, "", "queued")
        if away:
            await self.log.put(gone=away)
        self._wake.set()

    async def _watch(self) -> None:
        days = self._means.days
        while days is not None:
            try:
                await days.look(self.log)
            except FilesError as error:
                logger.warning("the days of impressions can't be looked at: %s", error)
            await asyncio.sleep(LOOK_S)

    # Steps

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            job = next_open(self.log.jobs)
            if job is None:
                await self._wake.wait()
            elif not await self._work(job):
                await asyncio.sleep(self._means.again_s)

    async def _work(self, job: Job) -> bool:
        """Runs the steps of a job that are left; False when one has to be tried again later."""
        resumed = job.state == "running"
        if not resumed:
            since = await self._blocking(tried, self._means.running.since)
            if isinstance(since, Failure):
                return await self._failed(job, "", since)
            job = msgspec.structs.replace(job, state="running", since=since)
            await self.log.put([job])
        for step in job.left:
            if not job.problem:
                await self._tell(job, step, "running")
            found = await self._step(job, step, resumed)
            if isinstance(found, Failure):
                return await self._failed(job, step, found)
            job = msgspec.structs.replace(job, done=(*job.done, step), problem="")
            if found is not None:
                job = msgspec.structs.replace(job, load=found.load or job.load)
                await self._tell(job, step, "done", found)
            await self.log.put([job])
        await self._tell(job, "", "done")
        await self._over(job, "done")
        return True

    async def _failed(self, job: Job, step: str, failure: Failure) -> bool:
        """Ends the job, or has it tried again (False)."""
        news = job.problem != failure.problem
        job = msgspec.structs.replace(job, problem=failure.problem)
        if not failure.later:
            logger.warning("%s of %s failed: %s", step or job.kind, job.file, failure.problem)
            await self._tell(job, step, "failed")
            await self._over(job, "failed")
            return True
        if news:
            logger.warning("%s of %s waits: %s", step or job.kind, job.file, failure.problem)
            await self._tell(job, step, "waiting")
            await self.log.put([job])
        return False

    async def _over(self, job: Job, state: JobState) -> None:
        job = msgspec.structs.replace(job, state=state, ended_ms=self._means.clock.now_ms())
        await self.log.put([job], past({**self.log.jobs, job.key: job}))

    async def _step(self, job: Job, step: str, resumed: bool) -> Outcome | Failure | None:
        seen, told = Watched(step), 0
        run = self._means.running.run
        running = self._blocking(tried, run, job, step, resumed, self._stop, seen)
        self.now = job, seen
        try:
            while not (await asyncio.wait({running}, timeout=PROGRESS_S))[0]:
                if seen.done != told:
                    told = seen.done
                    await self._send(job, self._progress(job, seen))
            found: Outcome | Failure | None = running.result()
            return found
        finally:
            self.now = None
            running.add_done_callback(_seen)

    def _blocking(self, work: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    # What is told

    def _progress(self, job: Job, seen: Watched) -> StepProgress:
        return StepProgress(
            "progress", job.key, job.file, seen.step, seen.done, seen.total, seen.rows,
            self._instant(),
        )  # fmt: skip

    async def _tell(self, job: Job, step: str, state: State, found: Outcome | None = None) -> None:
        told = StepStatus(
            "status", job.key, job.file, step, state, self._instant(), load=job.load,
            problem=job.problem if state in ("failed", "waiting") else "",
        )  # fmt: skip
        if found is not None:
            told = msgspec.structs.replace(
                told, table=found.table, rows=found.rows, rejected=found.rejected,
                unmatched=found.unmatched, files=found.files, bytes=found.bytes,
                version=found.version, changed=found.changed,
            )  # fmt: skip
        await self._send(job, told)

    async def _send(self, job: Job, event: StepStatus | StepProgress) -> None:
        await self._means.send([(EVENTS, job.file.encode(), encode(event))])

    def _instant(self) -> str:
        return print_instant(self._means.clock.now_ms())


def _seen(running: asyncio.Future[Any]) -> None:
    """Nobody may wait for a step that was told to stop."""
    if not running.cancelled():
        running.exception()


def _letter(number: int, offset: int, value: bytes, reject: Reject, now_ms: int) -> Output:
    letter = Letter(EVENTS, number, offset, None, reject.reason, reject.detail, value, None, now_ms)
    return letter.output()
