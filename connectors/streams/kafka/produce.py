"""Appending: rows become record batches of up to 1 MiB, one under way per partition.

Privates of aiokafka 0.14.0 it reaches into, each guarded in test_kafka_privates.py:

- `BatchBuilder(batch_size, compression_type)` is made directly: `create_batch()` knows one size
  for all topics. `_builder.append` is called on it, and `_relative_offset` set once per batch:
  the public `append` costs three times as much per record.
- `AIOKafkaProducer._message_accumulator.fail_all`: a producer that is given up must not deliver
  later what its callers were told had failed.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer, errors
from aiokafka.producer.message_accumulator import BatchBuilder

from connectors.streams.base import TP, MissingKey, RecordTooLarge, Row
from connectors.streams.kafka.connection import REQUEST_TIMEOUT_S
from connectors.streams.kafka.topics import Admission

# Large enough that a round trip of a millisecond or two carries some thousand records.
BATCH_BYTES = 1 << 20
# An election takes seconds; whoever waits longer should be told.
APPEND_TIMEOUT_S = 30.0
_UNCOMPRESSED = 0

logger = logging.getLogger(__name__)


def batches(topic: str, rows: Sequence[Row], now_ms: int, admission: Admission) -> list[Any]:
    """The rows in order as BatchBuilders of the size the topic admits.

    Raises RecordTooLarge or MissingKey, before anything is sent.
    """
    limit = min(BATCH_BYTES, admission.max_bytes)
    made: list[Any] = []
    no_headers: list[tuple[str, bytes]] = []
    builder = BatchBuilder(limit, _UNCOMPRESSED)
    append, count = builder._builder.append, 0
    for key, value, timestamp_ms, headers in rows:
        if key is None and admission.keyed:
            raise MissingKey(topic)
        stamp = now_ms if timestamp_ms is None else timestamp_ms
        pairs = list(headers) if headers else no_headers
        if append(count, stamp, key, value, pairs) is None:  # full
            builder._relative_offset = count
            made.append(builder)
            builder = BatchBuilder(limit, _UNCOMPRESSED)
            append, count = builder._builder.append, 0
            append(0, stamp, key, value, pairs)
        # the first record of a batch is taken whatever its size
        if count == 0 and builder.size() > admission.max_bytes:
            raise RecordTooLarge(topic, builder.size(), admission.max_bytes)
        count += 1
    builder._relative_offset = count
    made.append(builder)
    for each in made:
        each.close()
    return made


class Sender:
    """Sends batches by one idempotent producer, acknowledged by all replicas in sync.

    A producer that met an error it can't recover from is replaced: its sequence numbers no
    longer match the broker's, and every further batch of that partition would be refused.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._idempotent = True
        self._making = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connects; raises an error of aiokafka or TimeoutError."""
        await self._current()

    async def stop(self) -> None:
        """Finishes what is under way, and disconnects."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._leave(producer)
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def send(self, tp: TP, batch: Any) -> int:
        """Sends one batch and returns its first offset once it is durable.

        Raises an error of aiokafka, or TimeoutError: then it may be stored or not.
        """
        producer = await self._current()
        topic, partition = tp
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                known = producer.client.cluster.partitions_for_topic(topic)
                if known and partition not in known:
                    # the topic got more partitions since the client asked last
                    await producer.client.force_metadata_update()
                future = await producer.send_batch(batch, topic, partition=partition)
                metadata = await future
        except TimeoutError as error:
            self._replace(producer, error)
            raise
        except errors.KafkaError:
            self._replace(producer)
            raise
        if metadata.offset < 0:
            # a batch that the broker has, but so long ago that it forgot where
            self._replace(producer)
            raise errors.DuplicateSequenceNumber(f"{topic}[{partition}]")
        return int(metadata.offset)

    async def _current(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                self._producer = await self._made()
            return self._producer

    async def _made(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            acks="all", enable_idempotence=self._idempotent, **self._options
        )
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await producer.start()
        except (errors.IncompatibleBrokerVersion, errors.ClusterAuthorizationFailedError) as error:
            await producer.stop()
            if not self._idempotent:
                raise
            logger.warning(
                "the broker lets us have no idempotent producer (%s): a record may be appended "
                "twice when an acknowledgement is lost",
                error,
            )
            self._idempotent = False
            return await self._made()
        except BaseException:
            await producer.stop()
            raise
        return producer

    def _replace(self, producer: AIOKafkaProducer, error: BaseException | None = None) -> None:
        """The next send makes a new producer. With an error, what is still under way is failed
        at once; without one, it is finished first."""
        if self._producer is producer:
            self._producer = None
        if error is not None:
            failure = errors.KafkaTimeoutError(f"given up: {error!r}")
            producer._message_accumulator.fail_all(failure)
        task = asyncio.ensure_future(self._leave(producer))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave(self, producer: AIOKafkaProducer) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                await producer.stop()
                return
        await producer.client.close()
