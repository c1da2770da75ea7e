"""Sources: how far each is, fetches that are asked for, and what is pushed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.fetching import Fetcher
from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.hooks import Hooks
from app.facade.jobs import begun, ended, known
from app.facade.parts import Parts
from app.facade.rebuilds import Rebuilds
from app.shapes import Sample
from app.source_shapes import Fetch, FetchRefused, Rebuild, Receipt, SourceStatus
from connectors.sources.base import Window
from connectors.sources.errors import CallFailed
from domain.metrics.source import Source
from tables.in_force import is_unread


class MetricSources:
    """Answers for all workers; `questions` are what they ask each other."""

    def __init__(self, parts: Parts, peers: Peers) -> None:
        self._parts = parts
        self._peers = peers
        self.hooks = Hooks(parts, os.environ)
        self.rebuilds = Rebuilds(parts, peers)
        self.questions = {
            "sources": self._tell,
            "source_fetch": self._start,
            "source_job": self._job,
            **self.rebuilds.questions,
        }

    # What this worker knows

    async def _tell(self, _: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Source -> its lane's `epoch`, and what is known of it."""
        told: dict[str, dict[str, Any]] = {}
        collector = self._parts.collector
        for lane in () if collector is None else collector.owned.values():
            epoch = lane.log.changelog.epoch
            for name, at_work in lane.at_work.items():
                told[name] = {"epoch": epoch, **_of(at_work[1])}
            for name, impossible in lane.impossible.items():
                told[name] = {"epoch": epoch, "last_error": impossible[1]}
        return told

    async def _start(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        collector = self._parts.collector
        fetcher = None if collector is None else collector.fetcher(asked["name"])
        if fetcher is None:
            return None
        window = None if asked["from_ms"] is None else Window(asked["from_ms"], asked["to_ms"])
        try:
            job = fetcher.ask(window, trial=asked["trial"])
        except CallFailed as error:
            return {"refused": error.detail}
        return {"id": job.id, "state": job.state}

    async def _job(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        collector = self._parts.collector
        fetcher = None if collector is None else collector.fetcher(asked["name"])
        job = None if fetcher is None else fetcher.jobs.get(asked["id"])
        if job is None:
            return None
        await known(job.done, asked["wait_s"])
        return {
            "id": job.id,
            "state": job.state,
            "detail": job.detail,
            "status": job.status,
            "pages": job.pages,
            "records": job.records,
            "sample": job.sample,
        }

    def samples(self) -> Iterator[Sample]:
        """This worker's share, for /metrics."""
        collector = self._parts.collector
        for lane in () if collector is None else collector.owned.values():
            for name, at_work in lane.at_work.items():
                place, labels = at_work[1].place, {"source": name}
                yield Sample("sluice_source_pages_total", place.pages, labels)
                yield Sample("sluice_source_records_total", place.records, labels)
                yield Sample("sluice_source_failing", int(place.trouble is not None), labels)

    # What all know together

    def _in_force(self) -> dict[str, Source]:
        collector = self._parts.collector
        if collector is None:
            return {}
        return {version.name: collector.source(version) for version in collector.in_force()}

    async def all(self) -> Sequence[SourceStatus]:
        """Every source in force, by name."""
        await self._parts.catch_up()
        sources = self._in_force()
        if not sources:
            return []
        told: dict[str, dict[str, Any]] = {}
        for answer in (await self._peers.ask("sources", {})).values():
            for name, one in answer.items():
                if name not in told or told[name]["epoch"] < one["epoch"]:
                    told[name] = one
        found = []
        for name, source in sorted(sources.items()):
            known = {key: v for key, v in told.get(name, {}).items() if key != "epoch"}
            found.append(SourceStatus(name, source.connector, **known))
        return found

    async def fetch(
        self, name: str, from_ms: int | None, to_ms: int | None, trial: bool
    ) -> Fetch | None:
        """See `SourcesBackend.fetch_source`."""
        await self._parts.catch_up()
        if name not in self._in_force():
            return None
        asked = {"name": name, "from_ms": from_ms, "to_ms": to_ms, "trial": trial}
        away = f"source {name}", "no worker with role metrics has it open, or its connector"
        answer = await begun(self._parts, self._peers, "source_fetch", asked, away)
        if "refused" in answer:
            raise FetchRefused(answer["refused"])
        return Fetch(answer["id"], name, answer["state"])

    async def outcome(self, name: str, fetch_id: str, wait_s: float) -> Fetch | None:
        """See `SourcesBackend.fetch_of_source`."""
        asked = {"name": name, "id": fetch_id}
        told = await ended(
            self._parts, self._peers, "source_job", asked, wait_s,
            lambda job: job["state"] in ("done", "failed"),
        )  # fmt: skip
        return None if told is None else Fetch(source=name, **told)

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Receipt | None:
        """See `SourcesBackend.receive_hook`."""
        await self._parts.catch_up()
        source = self._in_force().get(name)
        if source is None and is_unread(self._parts.documents, Source.kind, name):
            raise Unavailable(f"source {name}", "this release can't read its document")
        if source is None or source.schedule is not None:
            return None
        return await self.hooks.receive(source, headers, body)

    async def stop(self) -> None:
        """Closes what is open."""
        await self.rebuilds.stop()
        await self.hooks.stop()


def _of(fetcher: Fetcher) -> dict[str, Any]:
    place = fetcher.place
    trouble = None if place.trouble is None else place.trouble.detail
    return {
        "cursor": place.cursor,
        "last_fetch_ms": place.fetched_ms,
        "last_error": fetcher.archive_trouble or trouble,
        "next_run_ms": fetcher.next_run_ms(),
        "running": fetcher.running,
        "quota_left": fetcher.quota_left,
        "at_work": True,
        "failing_since_ms": None if place.trouble is None else place.trouble.since_ms,
    }


class SourcesArea:
    """The facade's part of `SourcesBackend`."""

    _metric_sources: MetricSources

    async def metric_sources(self) -> Sequence[SourceStatus]:
        return await self._metric_sources.all()

    async def fetch_source(
        self, name: str, from_ms: int | None, to_ms: int | None, *, trial: bool
    ) -> Fetch | None:
        return await self._metric_sources.fetch(name, from_ms, to_ms, trial)

    async def fetch_of_source(self, name: str, fetch_id: str, wait_s: float) -> Fetch | None:
        return await self._metric_sources.outcome(name, fetch_id, wait_s)

    async def rebuild_source(self, name: str) -> Rebuild | None:
        return await self._metric_sources.rebuilds.start(name)

    async def rebuild_of_source(self, name: str, rebuild_id: str, wait_s: float) -> Rebuild | None:
        return await self._metric_sources.rebuilds.outcome(name, rebuild_id, wait_s)

    async def receive_hook(
        self, name: str, headers: Mapping[str, str], body: bytes
    ) -> Receipt | None:
        return await self._metric_sources.receive(name, headers, body)
