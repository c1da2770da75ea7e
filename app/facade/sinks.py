"""Sinks: how far each is, what is wrong with it, and which ids its target has."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from app.cluster.peers import Peers
from app.facade.parts import Parts
from app.shapes import Sample
from app.sink_shapes import SinkPart, SinkStatus, Taken
from domain.sinks.document import Files, Http, Sink
from tables.documents import Version
from tables.sinks import Counts


class Sinks:
    """Answers for all workers; `questions` are what they ask each other."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.questions = {"sinks": self._tell, "sinks_taken": self._tell_taken}

    async def _tell(self, _: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """lane -> its `epoch`, and `lines`: [sink, version, partition, next, counts, sending,
        trouble] of those at work."""
        found: dict[int, dict[str, Any]] = {}
        for lane in self._parts.sinks.owned.values():
            lines = []
            for version, line, _task in lane.lines.values():
                place, trouble = line.place, line.trouble
                counts = Counts() if place is None else place.counts
                told = None
                if trouble is not None:
                    told = [trouble.detail, trouble.attempts, trouble.since_ms]
                lines.append(
                    [
                        version.name,
                        version.version,
                        line.kit.partition,
                        None if place is None else place.next,
                        list(msgspec.structs.astuple(counts)),
                        line.sending,
                        told,
                    ]
                )
            found[lane.number] = {"epoch": lane.log.changelog.epoch, "lines": lines}
        return found

    async def _tell_taken(self, asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return await self._parts.sinks.taken(asked["name"], asked["ids"])

    async def all(self, peers: Peers) -> list[SinkStatus]:
        """Every sink in force, by name."""
        await self._parts.catch_up()
        versions = self._parts.sinks.in_force()
        if not versions:
            return []
        told: dict[tuple[str, int], tuple[int, list[Any]]] = {}
        for answer in (await peers.ask("sinks", {})).values():
            for lane in answer.values():
                for line in lane["lines"]:
                    at = (line[0], line[2])
                    if at not in told or told[at][0] < lane["epoch"]:
                        told[at] = lane["epoch"], line
        return [await self._status(version, told) for version in versions]

    async def _status(
        self, version: Version, told: dict[tuple[str, int], tuple[int, list[Any]]]
    ) -> SinkStatus:
        sink = self._parts.sinks.sink(version)
        physical = self._parts.names.topic(sink.input)
        count = await self._parts.partitions(physical) or 0
        ends = await self._parts.log.end_offsets([(physical, p) for p in range(count)])
        parts = []
        for partition in range(count):
            found = told.get((sink.name, partition))
            line = None if found is None else found[1]
            parts.append(_part(partition, line, ends[physical, partition]))
        return SinkStatus(
            sink.name, version.version, sink.target.kind, shown(sink), sink.input, parts
        )

    async def taken(self, peers: Peers, name: str, ids: Sequence[str]) -> list[Taken] | None:
        """What became of each id, in order; None when there is no such sink."""
        await self._parts.catch_up()
        if not any(version.name == name for version in self._parts.sinks.in_force()):
            return None
        found: dict[str, dict[str, Any]] = {}
        for answer in (await peers.ask("sinks_taken", {"name": name, "ids": list(ids)})).values():
            found |= answer
        return [Taken(one, **found[one]) if one in found else Taken(one, "unknown") for one in ids]

    def samples(self) -> Iterator[Sample]:
        """This worker's share, for /metrics."""
        totals: dict[str, dict[str, int]] = {}
        failing: dict[str, int] = {}
        for _, line in self._parts.sinks.lines():
            place = line.place
            name = line.sink.name
            failing[name] = failing.get(name, 0) + (line.trouble is not None)
            if place is None:
                continue
            counts = place.counts
            found = totals.setdefault(name, {})
            for part, number in (
                ("sent", counts.accepted + counts.refused + line.sending),
                ("accepted", counts.accepted),
                ("refused", counts.refused),
                ("passed", counts.passed),
                ("repeated", counts.repeated),
                ("missed", counts.missed),
            ):
                found[part] = found.get(part, 0) + number
        for name, parts in totals.items():
            for part, number in parts.items():
                yield Sample("sluice_sink_records_total", number, {"sink": name, "part": part})
        for name, number in failing.items():
            yield Sample("sluice_sink_failing", number, {"sink": name})

    async def waiting(self) -> list[Sample]:
        """How many records wait for each sink, on this worker's partitions."""
        lines = [line for _, line in self._parts.sinks.lines() if line.place is not None]
        tps = {(line.kit.physical, line.kit.partition) for line in lines}
        ends = await self._parts.log.end_offsets(tps) if tps else {}
        found: dict[str, int] = {}
        for line in lines:
            place = line.place
            behind = ends[line.kit.physical, line.kit.partition] - (place.next if place else 0)
            found[line.sink.name] = found.get(line.sink.name, 0) + max(0, behind)
        return [
            Sample("sluice_sink_waiting_records", number, {"sink": name})
            for name, number in found.items()
        ]


def _part(partition: int, line: list[Any] | None, end: int) -> SinkPart:
    if line is None or line[3] is None:
        return SinkPart(partition, None)
    accepted, refused, passed, repeated, missed = line[4]
    detail, attempts, since_ms = line[6] or ("", 0, None)
    return SinkPart(
        partition,
        line[3],
        sent=accepted + refused + line[5],
        accepted=accepted,
        refused=refused,
        waiting=max(0, end - line[3]),
        passed=passed,
        repeated=repeated,
        missed=missed,
        detail=detail,
        attempts=attempts,
        since_ms=since_ms,
    )


def shown(sink: Sink) -> str:
    """Where the target is, for people; never a secret."""
    target = sink.target
    if isinstance(target, Files):
        return target.path
    if isinstance(target, Http):
        url = urlsplit(target.url)  # what is behind a `?` may be one
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    if target.url is None:
        return f"table {target.table} (address in {target.url_from})"
    parts = urlsplit(target.url)
    return f"table {target.table} at {parts.netloc.rpartition('@')[2]}{parts.path}"
