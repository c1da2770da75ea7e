"""Records onto a topic, once: with an Idempotency-Key also across a kill (see `requests.py`)."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from app.backend import IdempotencyConflict, Unavailable
from app.facade import requests
from app.facade.parts import Parts
from app.facade.requests import Begin, Request
from app.facade.view import View
from app.shapes import Idempotency
from connectors.streams.base import Row, UnknownTopic
from connectors.streams.murmur2 import partition_for

HEADER = "idempotency-key"
BUSY_S = 10.0  # how long a repeat waits for a worker that is at it
LOOK_S = 0.1
FORGET = 500  # requests forgotten at a time


@dataclass(frozen=True)
class Done:
    """`last` offset by partition of what was appended."""

    last: dict[int, int]
    repeated: bool = False


class Appends:
    """Appends rows to public topics."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        path = parts.settings.data_dir / "views" / "requests.sqlite"
        self._view = View(parts.log, parts.names.requests, path, requests.SCHEMA, requests.apply)
        self._turns = itertools.count()
        self._busy: dict[str, tuple[asyncio.Lock, int]] = {}
        self._tasks: set[asyncio.Task[Done]] = set()

    async def stop(self) -> None:
        """Closes what is known of requests."""
        await self._view.stop()

    async def append(
        self, topic: str, rows: Sequence[Row], idempotency: Idempotency | None
    ) -> Done:
        """See `Backend.append_records`. Once begun it is finished, also when the caller goes."""
        physical = self._parts.names.topic(topic)
        count = await self._parts.partitions(physical)
        if count is None or self._parts.names.is_internal(physical):
            raise UnknownTopic(topic)
        if idempotency is None:
            turn = next(self._turns)
            places = spread(rows, count, turn)
            return Done(await self._append(physical, rows, places))
        task = asyncio.create_task(self._once(physical, rows, count, idempotency))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def record_at(self, topic: str, partition: int, offset: int) -> bytes | None:
        """The body of the record there; None without one, or when it is gone."""
        physical = self._parts.names.topic(topic)
        if partition >= (await self._parts.partitions(physical) or 0):
            return None
        tp = (physical, partition)
        if offset >= (await self._parts.log.end_offsets([tp]))[tp]:
            return None
        piece = await self._parts.log.read(physical, partition, offset, max_bytes=1)
        return next((item[3] for item in piece.items if item[0] == offset), None)

    async def check(self, idempotency: Idempotency) -> None:
        """Looks before anything is done that is no append. Raises IdempotencyConflict."""
        await self._found(idempotency)

    async def forget(self) -> None:
        """Deletes what was kept for longer than a day, from the topic too."""
        await self._view.catch_up()
        now = self._parts.clock.now_ms()
        while over := await self._view.run(requests.forget, now, FORGET):
            for begun in over:
                partition = await self._partition(begun.key)
                rows: list[Row] = [
                    (requests.record_key("begin", begun), None, None, ()),
                    (requests.record_key("done", begun), None, None, ()),
                ]
                await self._parts.log.append(self._parts.names.requests, partition, rows)

    async def _append(
        self, physical: str, rows: Sequence[Row], places: Sequence[int]
    ) -> dict[int, int]:
        """Appends each row at its place; returns the last offset by partition."""
        parts: dict[int, list[Row]] = {}
        for row, place in zip(rows, places, strict=True):
            parts.setdefault(place, []).append(row)
        ends = await asyncio.gather(
            *(self._parts.log.append(physical, place, part) for place, part in parts.items())
        )
        return {place: last for place, (_, last) in zip(parts, ends, strict=True)}

    # Once

    async def _once(
        self, physical: str, rows: Sequence[Row], count: int, asked: Idempotency
    ) -> Done:
        marked: list[Row] = [
            (key, value, at, (*headers, (HEADER, f"{asked.key}/{i}".encode())))
            for i, (key, value, at, headers) in enumerate(rows)
        ]
        async with self._alone(asked.key):
            found = await self._found(asked)
            if found is None:
                begun = await self._begin(physical, len(rows), count, asked)
                found = await self._found(asked)
                if found is None or found.begun.id == begun.id:
                    last = await self._append(physical, marked, spread(rows, count, begun.turn))
                    return await self._done(begun, last, repeated=False)
            if found.last is None:
                found = await self._owned(found, asked)
            if found.last is not None:
                return Done(found.last, repeated=True)
            last = await self._complete(physical, marked, found.begun)
            return await self._done(found.begun, last, repeated=True)

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """One request of a key at a time in this worker."""
        lock, waiting = self._busy.get(key, (asyncio.Lock(), 0))
        self._busy[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._busy.pop(key)
            if waiting > 1:
                self._busy[key] = lock, waiting - 1

    async def _found(self, asked: Idempotency) -> Request | None:
        """What is known of the key; None when it is free. Raises IdempotencyConflict."""
        await self._view.catch_up()
        found = await self._view.run(requests.find, asked.key)
        if found is None or requests.is_over(found, self._parts.clock.now_ms()):
            return None
        if found.begun.fingerprint != asked.fingerprint:
            raise IdempotencyConflict(asked.key)
        return found

    async def _begin(self, physical: str, rows: int, count: int, asked: Idempotency) -> Begin:
        """Step 1."""
        tps = [(physical, partition) for partition in range(count)]
        ends = await self._parts.log.end_offsets(tps)
        begun = Begin(
            key=asked.key,
            id=uuid4().hex,
            fingerprint=asked.fingerprint,
            owner=self._parts.worker,
            topic=physical,
            rows=rows,
            partitions=count,
            turn=next(self._turns),
            ends={partition: ends[physical, partition] for partition in range(count)},
            at=self._parts.clock.now_ms(),
        )
        await self._write(requests.record_key("begin", begun), begun)
        return begun

    async def _owned(self, found: Request, asked: Idempotency) -> Request:
        """The request, done by now or this worker's to finish. Raises Unavailable."""
        clock = asyncio.get_running_loop().time
        until = clock() + BUSY_S
        while found.last is None and found.begun.owner != self._parts.worker:
            if found.begun.owner in {beat.id for beat in self._parts.members.live()}:
                if clock() > until:
                    detail = f"{found.begun.owner} is at the request with this Idempotency-Key"
                    raise Unavailable("the request", detail)
                await asyncio.sleep(LOOK_S)
            else:
                mine = msgspec.structs.replace(
                    found.begun, owner=self._parts.worker, taken_from=found.begun.owner
                )
                await self._write(requests.record_key("begin", mine), mine)
            again = await self._found(asked)
            if again is None:
                raise Unavailable("the request", "its day has just ended")
            found = again
        return found

    async def _complete(self, physical: str, rows: Sequence[Row], begun: Begin) -> dict[int, int]:
        """Step 2 of a request that was left: appends the rows that aren't there."""
        there, last = await self._there(physical, begun)
        places = spread(rows, begun.partitions, begun.turn)
        missing = [i for i in range(len(rows)) if i not in there]
        if missing:
            appended = await self._append(
                physical, [rows[i] for i in missing], [places[i] for i in missing]
            )
            last |= appended
        return last

    async def _there(self, physical: str, begun: Begin) -> tuple[set[int], dict[int, int]]:
        """The numbers of the rows that are on the topic, and the last offset by partition."""
        numbers: set[int] = set()
        last: dict[int, int] = {}
        ends = await self._parts.log.end_offsets((physical, place) for place in begun.ends)
        for (_, place), end in ends.items():
            at = begun.ends[place]
            while at < end:
                piece = await self._parts.log.read(physical, place, at)
                for offset, _, _, _, headers in piece.items:
                    for name, value in headers:
                        key, _, number = value.rpartition(b"/")
                        if name == HEADER and key == begun.key.encode():
                            numbers.add(int(number))
                            last[place] = offset
                if piece.next_offset <= at:
                    break
                at = piece.next_offset
        return numbers, last

    async def _done(self, begun: Begin, last: dict[int, int], *, repeated: bool) -> Done:
        """Step 3."""
        done = requests.Done(begun.key, begun.id, last)
        await self._write(requests.record_key("done", begun), done)
        return Done(last, repeated)

    async def _write(self, key: bytes, step: Begin | requests.Done) -> None:
        row: Row = (key, requests.encode(step), None, ())
        place = await self._partition(step.key)
        await self._parts.log.append(self._parts.names.requests, place, [row])

    async def _partition(self, key: str) -> int:
        count = await self._parts.partitions(self._parts.names.requests)
        if count is None:
            raise UnknownTopic(self._parts.names.requests)
        return partition_for(key.encode(), count)


def spread(rows: Sequence[Row], partitions: int, turn: int) -> list[int]:
    """The partition of each row: by key, keyless ones in turn."""
    return [
        (turn + i) % partitions if row[0] is None else partition_for(row[0], partitions)
        for i, row in enumerate(rows)
    ]
