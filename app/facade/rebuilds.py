"""`metrics rebuild`: asked of whichever worker owns the shard of the source, which does it."""

import asyncio
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from agents.ending import end
from agents.rebuild import NothingArchived, rebuild, scratches
from agents.roll_up import EVENTS, RollUp
from agents.shards import NotOwned
from app.cluster.peers import Peers
from app.facade.jobs import begun, ended, known
from app.facade.parts import Parts
from app.source_parts import open_archive
from app.source_shapes import Rebuild
from connectors.archive.avro import Unreadable
from connectors.files.base import FilesError
from connectors.streams.murmur2 import partition_for
from domain.metrics.source import Source
from tables.in_force import in_force

KEPT = 50  # rebuilds whose outcome can still be asked for
START, JOB = "rebuild_start", "rebuild_job"


class _Job:
    """One rebuild of one source, here."""

    def __init__(self, source: str) -> None:
        self.told = Rebuild(uuid4().hex, source, "running")
        self.done = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def end(self, told: Rebuild) -> None:
        self.told = told
        self.done.set()


class Rebuilds:
    """See the module. One at a time a source; who asks meanwhile gets the one under way."""

    def __init__(self, parts: Parts, peers: Peers) -> None:
        self._parts, self._peers = parts, peers
        self._jobs: dict[str, _Job] = {}
        self.questions = {START: self._start, JOB: self._job}

    async def start(self, name: str) -> Rebuild | None:
        """See `MetricsBackend.rebuild`."""
        await self._parts.catch_up()
        if self._source(name) is None:
            return None
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 0
        number = partition_for(name.encode(), count) if count else -1
        asked = {"name": name, "number": number}
        away = f"rollups of shard {number}", "no worker of role metrics has it open"
        return Rebuild(**await begun(self._parts, self._peers, START, asked, away))

    async def outcome(self, name: str, id: str, wait_s: float) -> Rebuild | None:
        """See `MetricsBackend.rebuild_of`."""
        told = await ended(
            self._parts, self._peers, JOB, {"id": id}, wait_s,
            lambda job: job["source"] != name or job["state"] != "running",
        )  # fmt: skip
        found = None if told is None else Rebuild(**told)
        return found if found is not None and found.source == name else None

    async def stop(self) -> None:
        """Ends what is under way; asked for again it begins anew."""
        await end(*(job.task for job in self._jobs.values() if job.task is not None))

    # What this worker does

    def _source(self, name: str) -> Source | None:
        found = in_force(self._parts.documents, Source, Source.kind)
        return next((source for source in found if source.name == name), None)

    async def _start(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        rollups, source = self._parts.rollups, self._source(asked["name"])
        number = asked["number"]
        if rollups is None or source is None or number not in rollups.work.shards.opened:
            return None
        for job in self._jobs.values():
            if job.told.source == source.name and not job.done.is_set():
                return asdict(job.told)
        self._forget()
        job = _Job(source.name)
        self._jobs[job.told.id] = job
        job.task = asyncio.create_task(self._run(job, source, rollups.work, number))
        return asdict(job.told)

    def _forget(self) -> None:
        """A folder of this worker alone holds the scratch files: those of no job were left."""
        if all(job.done.is_set() for job in self._jobs.values()):
            for path in scratches(self._parts.settings.data_dir / "scratch"):
                path.unlink(missing_ok=True)
        while len(self._jobs) >= KEPT:
            oldest = next((id for id, job in self._jobs.items() if job.done.is_set()), None)
            if oldest is None:
                return
            del self._jobs[oldest]

    async def _run(self, job: _Job, source: Source, work: RollUp, number: int) -> None:
        parts, told = self._parts, job.told
        scratch = parts.settings.data_dir / "scratch" / f"rebuild-{told.id}.sqlite"
        ended = Rebuild(told.id, told.source, "failed", "the worker was stopped; ask again")
        try:
            archive = open_archive(parts.settings)
            found = await rebuild(work, number, archive, source.mapping, scratch)
            ended = Rebuild(
                told.id, told.source, "done", "",
                found.records, found.changed, found.dropped, found.told,
            )  # fmt: skip
        except (NothingArchived, NotOwned, FilesError, Unreadable) as error:
            ended = Rebuild(told.id, told.source, "failed", str(error))
        finally:
            job.end(ended)

    async def _job(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        job = self._jobs.get(asked["id"])
        if job is None:
            return None
        await known(job.done, asked["wait_s"])
        return asdict(job.told)
