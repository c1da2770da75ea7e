"""Faust's transport over aiokafka, by the batch: `sluice-kafka://host:port`.

The aiokafka consumer lives in a thread of its own, as in Faust's driver: heartbeats go on while
the app's loop is busy with a batch.

Privates of faust-streaming 0.15.3 it reaches into, each guarded in test_kafka_privates.py:

- `AIOKafkaConsumerThread._create_worker_consumer` (replaced): the stock one assigns round robin
  when there are no tables, so equal partitions of two topics may go to different workers, and
  lets an idle partition hold up a busy one for 1.5 s. `_rebalance_listener`, `_assignor`,
  `_ensure_consumer` as there.
- `AIOKafkaConsumerThread._commit` (replaced): it crashes the app when a rebalance comes between.
- `ServiceThread._close_thread_loop_on_stop`: the loop we give the thread is its own to close.

Privates of aiokafka 0.14.0, guarded there too:

- `AIOKafkaConsumer._fetcher`, `_coordinator`, `_subscription`, `_client`.
- `GroupCoordinator._do_heartbeat` (wrapped): nothing else tells when the group last heard of us.
- `GroupCoordinator._do_rejoin_group` (wrapped): nothing else tells what was joined with.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka import errors
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP

from connectors.streams.base import Slice
from connectors.streams.faust_conductor import Conductor
from connectors.streams.faust_consumer import BatchingConsumer
from connectors.streams.faust_producer import LogProducer
from connectors.streams.kafka.connection import security_options
from connectors.streams.kafka.fetch import Limits, fetched

# How long a broker keeps a fetch that finds nothing. While it does, no partition that was left
# out of the fetch can be fetched from that broker; records that come are answered at once.
_FETCH_WAIT_MS = 100


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs the aiokafka consumer; methods without underscore are called from the app's loop."""

    last_heartbeat_monotonic: float | None = None
    joined_topics: frozenset[str] = frozenset()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            # what a producer aborted is nobody's usage
            isolation_level="read_committed",
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **security_options(self.app.sluice_settings),  # type: ignore[attr-defined]  # our App
        )

    async def on_start(self) -> None:
        """Connects, and notes heartbeats and joins from then on."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        heartbeat = coordinator._do_heartbeat

        async def noted() -> bool:
            sent = time.monotonic()
            heard: bool = await heartbeat()
            if heard:
                self.last_heartbeat_monotonic = sent
            return heard

        coordinator._do_heartbeat = noted
        rejoin = coordinator._do_rejoin_group

        async def joined(subscription: Any) -> bool:
            topics = frozenset(subscription.topics)
            done: bool = await rejoin(subscription)
            if done:
                self.joined_topics = topics
            return done

        coordinator._do_rejoin_group = joined

    async def fetch(
        self, room: Mapping[TP, int], limits: Limits, timeout: float, stop: asyncio.Event
    ) -> list[tuple[TP, Slice]]:
        """What the consumer has of these partitions; `stop` is set in the thread's loop."""
        return list(await self.call_thread(self._fetch, room, limits, timeout, stop))

    async def _fetch(
        self, room: Mapping[TP, int], limits: Limits, timeout: float, stop: asyncio.Event
    ) -> list[tuple[TP, Slice]]:
        consumer = self._ensure_consumer()
        consumer._coordinator.check_errors()
        with consumer._subscription.fetch_context():
            return await fetched(consumer._fetcher, room, limits, timeout, stop)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        mine = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        if not mine:
            return False
        try:
            await consumer.commit(mine)
        except (errors.CommitFailedError, errors.IllegalStateError) as error:
            # The group went on without us: whoever has the partitions reads from what was
            # committed before.
            self.log.info("not committed, the group has rebalanced: %s", error)
            return False
        return True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Goes back to the committed offsets, where there are none to the beginning or the end as
        the settings say; returns the committed ones."""
        found: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def look_again(self) -> None:
        """Asks the brokers how many partitions there are."""
        await self.call_thread(self._look_again)

    async def _look_again(self) -> None:
        await self._ensure_consumer()._client.force_metadata_update()

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        assigned = list(consumer.assignment())
        committed = await consumer._coordinator.fetch_committed_offsets(assigned)
        still = [tp for tp in assigned if tp in consumer.assignment()]
        fresh = [tp for tp in still if tp not in committed]
        for tp in still:
            if tp in committed:
                consumer.seek(tp, committed[tp].offset)
        if fresh:
            strategy = OffsetResetStrategy.from_str(self.app.conf.consumer_auto_offset_reset)
            consumer._fetcher.request_offset_reset(fresh, strategy)
        return {TP(*tp): committed[tp].offset for tp in still if tp in committed}

    async def seek_in_thread(self, tp: TP, offset: int) -> None:
        """Moves the position of one partition. Faust's own `seek` does so from another thread."""
        await self.call_thread(self._seek_in_thread, tp, offset)

    async def _seek_in_thread(self, tp: TP, offset: int) -> None:
        self._ensure_consumer().seek(TopicPartition(*tp), offset)

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """The offsets the next records will get, one request to each broker."""
        wanted = [TopicPartition(*tp) for tp in tps]
        found = await self.call_thread(self._ensure_consumer().end_offsets, wanted)
        return {TP(*tp): offset for tp, offset in found.items()}


class Consumer(BatchingConsumer, driver.Consumer):
    """Batches from aiokafka. See BatchingConsumer for what it promises."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        # a loop of the same kind as the app's: Faust makes one of asyncio's own under uvloop too
        loop = type(self.loop)()
        thread = ConsumerThread(self, loop=self.loop, thread_loop=loop, beacon=self.beacon)
        thread._close_thread_loop_on_stop = True
        return thread

    @property
    def last_heartbeat_monotonic(self) -> float | None:
        """When the last heartbeat that the group answered was sent; None before the first.

        By the clock of time.monotonic(). A worker whose last one is older than the session
        timeout may have lost its partitions without knowing.
        """
        return self._thread.last_heartbeat_monotonic

    @property
    def joined_topics(self) -> frozenset[str]:
        """See BatchingConsumer.joined_topics."""
        return self._thread.joined_topics

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribes to these topics instead of those before; the group rebalances.

        aiokafka forgets its assignment as soon as it subscribes anew, and can't commit any more:
        so what is in work is finished and committed first.
        """
        if self.assignment():
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            await self.wait_empty()
            self.forget()
        await self._thread.subscribe(topics)

    async def fetch(self, room: Mapping[TP, int], timeout: float) -> list[tuple[TP, Slice]]:
        """See BatchingConsumer.fetch."""
        settings = self.app.sluice_settings  # type: ignore[attr-defined]  # our App
        # a fetch is bounded already; the same bound here would leave slivers behind
        limits = Limits(settings.batch_records, 2 * settings.batch_bytes)
        stop = asyncio.Event()
        fetching = asyncio.ensure_future(self._thread.fetch(room, limits, timeout, stop))
        freed = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({fetching, freed}, return_when=asyncio.FIRST_COMPLETED)
            if not fetching.done():
                self._thread.thread_loop.call_soon_threadsafe(stop.set)
            return await fetching
        finally:
            freed.cancel()
            fetching.cancel()

    async def look_again(self) -> None:
        """See BatchingConsumer.look_again."""
        await self._thread.look_again()

    async def _seek(self, partition: TP, offset: int) -> None:
        await self._thread.seek_in_thread(partition, offset)

    async def end_offsets(self, tps: set[TP]) -> dict[TP, int]:
        """See BatchingConsumer.end_offsets."""
        return await self._thread.end_offsets(tps)


class Transport(driver.Transport):
    """What Faust makes of a `sluice-kafka://` URL."""

    Consumer = Consumer
    Producer = LogProducer
    Conductor = Conductor
