"""The tables of impressions, as their manifests tell of them, and the queue, as its owner does."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agents.impressions.dimension import newest, read_source
from agents.impressions.joining import planned_update
from agents.impressions.report import existing, loads, status, steps_of
from agents.impressions.source import Source
from agents.impressions.store import Store
from agents.impressions.summaries import Summaries, Summary, campaigns
from app.cluster.peers import Peers
from app.facade.cursors import cursor_of, place_of
from app.facade.parts import Parts
from app.impressions import source_at, tables_of
from app.shapes import Page, Sample
from connectors.files.base import Files, FilesError
from domain.aggregation.instants import print_instant
from domain.impressions.jobs import Job
from domain.impressions.layout import DIMENSION, TABLES

STEPS = 50
# metric behind sluice_impressions_ -> the table's figure
SAMPLED = {
    "rows": "rows",
    "files": "files",
    "mean": "mean",
    "stddev": "stddev",
    "unmatched_rows": "unmatched",
    "rejected_rows": "rejected",
}
JOBS = 50


def table_of(files: Files, table: str) -> dict[str, Any] | None:
    """See `ImpressionsBackend.impressions_table`. Blocks."""
    store = Store(files)
    if table not in existing(store):
        return None
    return status(store, table).as_json()


def loads_of(files: Files, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
    """See `ImpressionsBackend.impressions_loads`; a cursor holds the last load told. Blocks."""
    place = None if cursor is None else tuple(place_of(cursor, tuple[str, str]))
    found = sorted(loads(Store(files)), key=_place, reverse=True)
    rest = [one for one in found if place is None or _place(one) < place]
    page = rest[:limit]
    return Page(page, cursor_of(_place(page[-1])) if len(rest) > limit else None)


def _place(load: dict[str, Any]) -> tuple[str, str]:
    return str(load["started"]), str(load["load"])


def overview_of(files: Files, summaries: Summaries) -> dict[str, Any]:
    """The tables and the last steps of `ImpressionsBackend.impressions`. Blocks."""
    store = Store(files)
    found = [one for one in (summaries.table(store, table) for table in TABLES) if one is not None]
    steps = [step for table in (*TABLES, DIMENSION) for step in steps_of(store, table)]
    steps.sort(key=lambda step: str(step["started"]), reverse=True)
    dimension = store.manifest(DIMENSION)[0].dimension
    return {
        "tables": [_table(one, dimension) for one in found],
        "dimension": dimension,
        "steps": steps[:STEPS],
    }


def _table(found: Summary, dimension: int | None) -> dict[str, Any]:
    manifest = found.manifest
    days = sorted(day for day in manifest.pieces if day)
    joined = manifest.of is not None
    return {
        "table": manifest.table,
        "version": manifest.version,
        "rows": found.rows,
        "files": found.files,
        "bytes": found.bytes,
        "mean": found.mean,
        "stddev": found.stddev,
        "unmatched": manifest.unmatched,
        "rejected": manifest.rejected,
        "days": len(days),
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
        "dimension": manifest.dimension,
        "behind": joined and manifest.dimension != dimension,
        "written": manifest.written,
    }


def figures_of(
    files: Files, summaries: Summaries, table: str, day: str | None, limit: int, cursor: str | None
) -> Page[dict[str, Any]] | None:
    """See `ImpressionsBackend.impressions_figures`; a cursor holds the last name told. Blocks."""
    store = Store(files)
    if table not in TABLES:
        return None
    manifest, _ = store.manifest(table)
    if not manifest.version:
        return None
    after = None if cursor is None else place_of(cursor, str)
    if day is not None:
        lines = [one for one in campaigns(store, manifest, day) if after is None or
                 str(one.campaign) > after]  # fmt: skip
        page = lines[:limit]
        more = len(lines) > limit
        last = str(page[-1].campaign) if page else ""
    else:
        days = [one for one in sorted(manifest.pieces, reverse=True) if after is None or
                one < after]  # fmt: skip
        page = summaries.days(store, manifest, days[:limit])
        more = len(days) > limit
        last = page[-1].day if page else ""
    return Page([asdict(one) for one in page], cursor_of(last) if more else None)


def plan_of(files: Files, source: Source, now_ms: int) -> Mapping[str, int]:
    """See `ImpressionsBackend.impressions_plan`. Blocks."""
    store = Store(files)
    given, _, _ = read_source(source)
    return asdict(planned_update(store, newest(store).applied(given, print_instant(now_ms))))


def job_json(job: Job) -> dict[str, Any]:
    """A job as `/api/impressions` tells it."""
    waiting = job.state == "running" and bool(job.problem)
    return {
        "job": job.key,
        "kind": job.kind,
        "file": job.file,
        "state": "waiting" if waiting else job.state,
        "step": "",
        "done": 0,
        "total": 0,
        "rows": 0,
        "queued": print_instant(job.queued_ms),
        "ended": print_instant(job.ended_ms) if job.ended_ms else None,
        "load": job.load,
        "problem": job.problem,
    }


async def queue_of(peers: Peers) -> dict[str, Any]:
    """What the queue's owner tells of it, of all workers."""
    answers = (await peers.ask("impressions", {})).values()
    owner = max(answers, key=lambda one: int(one["epoch"]), default=None)
    if owner is None:
        return {"worker": None, "jobs": [], "waiting": 0, "missing": [], "trouble": ""}
    return {name: value for name, value in owner.items() if name != "epoch"}


class ImpressionsArea:
    """The facade's part of `ImpressionsBackend`; `impression_questions` are what the workers ask
    each other."""

    _parts: Parts
    _peers: Peers
    _summaries: Summaries

    async def _tell_impressions(self, _: dict[str, Any]) -> dict[str, Any] | None:
        """The queue, where this worker has it; with the `epoch` of its claim."""
        parts = self._parts.impressions
        shard = None if parts is None else parts.shard
        if shard is None:
            return None
        jobs = sorted(shard.log.jobs.values(), key=lambda job: (not job.open, -job.number))
        told = [job_json(job) for job in jobs[:JOBS]]
        if shard.now is not None:
            at_work, seen = shard.now
            for one in told:
                if one["job"] == at_work.key:
                    one |= {"step": seen.step, "done": seen.done, "total": seen.total,
                            "rows": seen.rows}  # fmt: skip
        missing = [{"day": day, "since": print_instant(since)}
                   for day, since in sorted(shard.log.missed.items())]  # fmt: skip
        return {
            "epoch": shard.log.changelog.epoch,
            "worker": self._parts.worker,
            "jobs": told,
            "waiting": sum(job.open for job in jobs),
            "missing": missing,
            "trouble": shard.trouble,
        }

    async def impression_samples(self) -> list[Sample]:
        """For /metrics, of the worker that has the queue; without the tables' while they are
        away."""
        parts = self._parts.impressions
        shard = None if parts is None else parts.shard
        if shard is None:
            return []
        waiting = sum(job.open for job in shard.log.jobs.values())
        found = [
            Sample("sluice_impressions_waiting", waiting),
            Sample("sluice_impressions_missing_days", len(shard.log.missed)),
        ]
        try:
            told = await asyncio.to_thread(
                overview_of, tables_of(self._parts.settings), self._summaries
            )
        except FilesError:
            return found
        for one in told["tables"]:
            labels = {"table": one["table"]}
            found += [
                Sample(f"sluice_impressions_{name}", one[field], labels)
                for name, field in SAMPLED.items()
            ]
        return found

    @property
    def impression_questions(self) -> dict[str, Any]:
        return {"impressions": self._tell_impressions}

    async def impressions(self) -> dict[str, Any]:
        files = tables_of(self._parts.settings)
        told = await asyncio.to_thread(overview_of, files, self._summaries)
        return {**told, **await queue_of(self._peers)}

    async def impressions_figures(
        self, table: str, day: str | None, limit: int, cursor: str | None
    ) -> Page[dict[str, Any]] | None:
        files = tables_of(self._parts.settings)
        return await asyncio.to_thread(
            figures_of, files, self._summaries, table, day, limit, cursor
        )

    async def impressions_plan(self, file: str) -> Mapping[str, int]:
        settings, now_ms = self._parts.settings, self._parts.clock.now_ms()
        source = source_at(file, settings)
        return await asyncio.to_thread(plan_of, tables_of(settings), source, now_ms)

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        return await asyncio.to_thread(table_of, tables_of(self._parts.settings), table)

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        files = tables_of(self._parts.settings)
        return await asyncio.to_thread(loads_of, files, limit, cursor)
