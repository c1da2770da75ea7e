"""The consumer both transports share: one Faust message per batch, acknowledged prefixes committed.

A transport adds `fetch`, `_commit`, `seek_to_committed` and what else Faust's consumer leaves open.

Privates of faust-streaming 0.15.3 it reaches into, each guarded in
tests/connectors/streams/test_faust_privates.py:

- `_acked`: must stay empty. A stream that acknowledges by itself writes there (Cython
  `StreamIterator.after`), and so acknowledges what its agent raised on.
- `_unacked_messages`: the batches that a stream has begun (Cython `StreamIterator`).
- `_commit_fut` by way of `maybe_wait_for_commit_to_finish`; `force_commit`, `wait_empty` and
  `on_partitions_revoked` (replaced): the stock ones commit past messages in work, forget what was
  acknowledged before they commit it, and call gc.collect() in a loop.
- `_add_gap` (made void): it commits past messages in work when offsets have gaps.
- `_read_offset` (made void): the drain loop notes there what it delivers, also after a seek has
  put back where to read, and then drops as read before what comes from there. InFlight holds that
  offsets rise.
- `_get_active_partitions`, `_committed_offset`, `_wait_for_ack`, `_waiting_for_ack`: its state.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from faust.transport.consumer import Consumer
from faust.types.transports import TPorTopicSet
from faust.types.tuples import TP, ConsumerMessage, Message
from mode.utils.futures import notify

from connectors.streams.base import Slice
from connectors.streams.faust_batches import InFlight
from domain.errors import Fatal

# A batch that is in work when partitions are revoked is waited for; after this long its agent's
# traceback is logged, once per period.
_SLOW_WAITS = 10


class AutomaticAck(Fatal):
    """A stream acknowledges batches whatever becomes of them."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        super().__init__(
            f"a stream over {topic!r} acknowledges by itself, also what its agent raised on",
            "iterate over stream.noack().events() and call event.ack() when all is durable",
        )


class BatchMessage(ConsumerMessage):
    """`value` is `list[Item]`, `offset` that of its last record; `ticket` is InFlight's."""

    __slots__ = ("ticket",)
    ticket: int


class _NoOffsets(dict[TP, int | None]):
    """Stands in for Faust's `_read_offset`: None for every partition, whatever is set."""

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class BatchingConsumer(Consumer):
    """Hands out batches, at most `InFlight`'s limit unacknowledged per partition.

    Runs in the app's event loop. Delivery is at least once: after a crash, a rebalance or a seek
    a partition goes on at its committed offset.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.in_flight = InFlight()
        self._ready: dict[TP, deque[Slice]] = {}
        self._freed = asyncio.Event()
        self._fetching = asyncio.Lock()
        self._era = 0
        super().__init__(*args, **kwargs)
        self._read_offset = _NoOffsets()

    # -- what a transport adds

    @property
    def joined_topics(self) -> frozenset[str]:
        """The topics of the subscription under which the group gave out its partitions last;
        empty before the first time, and where there is no group to join.
        """
        return frozenset()

    async def look_again(self) -> None:
        """Learns of partitions that topics got since it looked last."""

    @abstractmethod
    async def fetch(self, room: Mapping[TP, int], timeout: float) -> list[tuple[TP, Slice]]:
        """The next slices of these partitions, in order, none of them empty.

        Waits up to `timeout` seconds for the first, and returns early when `self._freed` is set.
        `room` says how many slices of a partition are wanted; more may be given.
        """

    @abstractmethod
    async def end_offsets(self, tps: set[TP]) -> dict[TP, int]:
        """The offsets the next records will get, asked of the stream now, in one call."""

    async def end_offset(self, tp: TP) -> int:
        """The offset the next record of one partition will get, asked of the stream now."""
        return (await self.end_offsets({tp}))[tp]

    # -- handing out

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yields batches, one partition after the other in turn, until it has none ready."""
        if not self.flow_active:
            # asyncio's Event has `wait`, which is all that Service.wait uses of mode's own
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        await self._fill(timeout)
        turn = True
        while turn:
            turn = False
            for tp in list(self._ready):
                # asked anew each time: while Faust delivers a batch, everything may change
                if self._may_hand_out(tp):
                    turn = True
                    yield tp, self._hand_out(tp)

    def _may_hand_out(self, tp: TP) -> bool:
        going_on = self.flow_active and not self.should_stop
        active = tp in self._ready and tp in self._get_active_partitions()
        return going_on and active and self.in_flight.room(tp) > 0

    async def _fill(self, timeout: float) -> None:
        """Waits until there may be something to hand out, for `timeout` seconds at most."""
        async with self._fetching:
            if any(self._may_hand_out(tp) for tp in self._ready):
                return
            self._freed.clear()
            active = self._get_active_partitions() - self._ready.keys()
            room = {tp: free for tp in active if (free := self.in_flight.room(tp)) > 0}
            if not room:
                await self.wait(self._freed, timeout=timeout)  # type: ignore[arg-type]  # as above
                return
            era = self._era
            slices = await self.fetch(room, timeout)
            if era == self._era:  # else all was revoked, and is read again by whoever gets it
                for tp, piece in slices:
                    self._ready.setdefault(tp, deque()).append(piece)

    @asynccontextmanager
    async def _between_fetches(self) -> AsyncIterator[None]:
        # A fetch has moved the positions of other partitions too when its slices come back: none
        # of them may be lost because one partition is sought.
        self._freed.set()
        async with self._fetching:
            yield

    def _hand_out(self, tp: TP) -> BatchMessage:
        waiting = self._ready[tp]
        items, next_offset, end_offset = waiting.popleft()
        if not waiting:
            del self._ready[tp]
        last_offset, timestamp_ms = items[-1][0], items[-1][1]
        message = BatchMessage(
            tp.topic,
            tp.partition,
            last_offset,
            timestamp_ms / 1000,
            0,
            None,
            None,
            items,  # type: ignore[arg-type]  # Faust wants bytes; BatchSchema passes it on
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )
        message.ticket = self.in_flight.hand_out(tp, items[0][0], next_offset)
        self.app.monitor.track_tp_end_offset(tp, end_offset)
        return message

    def resume_partitions(self, tps: Any) -> None:
        """Goes on with paused partitions; what was fetched of them is still there."""
        super().resume_partitions(tps)
        self._freed.set()

    # -- acknowledging and committing

    def ack(self, message: Message) -> bool:
        """Called once a batch is done with; False when it was revoked or sought past."""
        if message.acked or not isinstance(message, BatchMessage):
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        was_full = self.in_flight.room(message.tp) <= 0
        done = self.in_flight.acknowledge(message.tp, message.ticket)
        if done and was_full:
            self._freed.set()
        notify(self._waiting_for_ack)
        return done

    def abandon(self, message: Message) -> None:
        """Gives a batch up unacknowledged: nothing from it on is committed in this assignment.

        A rebalance doesn't wait for it, and whoever has the partition then gets it again.
        """
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)

    async def force_commit(
        self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True
    ) -> bool:
        """Commits the acknowledged prefixes of the assigned partitions; True when it did."""
        for tp, offsets in self._acked.items():
            if offsets:
                error = AutomaticAck(tp.topic)
                await self.crash(error)
                raise error
        assigned = self.assignment()
        ripe = {
            tp: offset
            for key, offset in self.in_flight.committable().items()
            if (tp := TP(*key)) in assigned
        }
        if topics is not None:
            ripe = {tp: o for tp, o in ripe.items() if tp in topics or tp.topic in topics}
        if not ripe:
            return False
        era = self._era
        if not await self._commit(ripe):
            return False
        if era == self._era:
            self.in_flight.committed(ripe.items())
        self._committed_offset.update(ripe)
        self.app.monitor.on_tp_commit(ripe)
        return True

    async def commit_all(self) -> bool:
        """Commits what is acknowledged by now, also when another commit is under way."""
        await self.maybe_wait_for_commit_to_finish()
        return await self.commit()

    async def wait_empty(self) -> None:
        """Waits until the batches that agents have begun are acknowledged, and commits.

        Gives up after the rebalance timeout, when the group goes on without this worker anyway.
        """
        waits = 0
        deadline = self.loop.time() + self.app.conf.broker_rebalance_timeout
        while self._unacked_messages and not (self.should_stop or self.app.crashed):
            waits += 1
            late = self.loop.time() > deadline
            if late or waits % _SLOW_WAITS == 0:
                self.log.warning(
                    "%s for %d batches in work; agents: %s",
                    "no longer waiting" if late else "waiting",
                    len(self._unacked_messages),
                    self.app.agents.human_tracebacks(),
                )
            if late:
                self._unacked_messages.clear()
                break
            await self._wait_for_ack(timeout=1)
        await self.commit_all()

    # -- rebalances and seeks

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commits before anything is forgotten, lets agents finish, and commits again."""
        await self.commit_all()
        await super().on_partitions_revoked(revoked)
        self.forget()

    def stop_flow(self) -> None:
        """Hands out nothing more until `resume_flow`, and then from the committed offsets on."""
        super().stop_flow()
        self._freed.set()

    async def perform_seek(self) -> None:
        """Goes back to the committed offsets; batches on the way are void."""
        async with self._between_fetches():
            self.forget()
            committed = await self.seek_to_committed()
            for tp in self.assignment():
                # None: never committed, so that the first batch may begin anywhere
                where = committed.get(tp)
                self.in_flight.start_at(tp, where)
                self._committed_offset[tp] = where

    async def seek(self, partition: TP, offset: int) -> None:
        """Goes on with one partition at `offset`; its batches on the way are void."""
        async with self._between_fetches():
            self.forget({partition})
            await super().seek(partition, offset)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Goes on at these offsets; batches on the way are void."""
        for tp, offset in partitions.items():
            await self.seek(tp, offset)

    def forget(self, tps: set[TP] | None = None) -> None:
        """Voids what was fetched and handed out of these partitions, or of all."""
        self._era += 1
        self.in_flight.clear(tps)
        for tp in list(self._ready) if tps is None else tps:
            self._ready.pop(tp, None)
        self._freed.set()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps are part of a batch's `next_offset`; nothing to keep."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's liveness guesses compare unlike clocks and act on nothing; ours are elsewhere."""
