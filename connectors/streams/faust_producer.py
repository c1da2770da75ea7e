"""Faust's producer, on the app's own log. The product appends to the log itself; this is for what
Faust sends (`topic.send`), and because an app has to have one."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, cast

from faust.transport.producer import Producer
from faust.types import HeadersArg
from faust.types.tuples import TP, RecordMetadata
from mode import Seconds
from mode.utils.times import want_seconds

from connectors.streams.base import Headers, Log, TopicSpec, UnknownTopic
from connectors.streams.murmur2 import partition_for


class LogProducer(Producer):
    """Sends by `app.sluice_log`; each send is durable when it returns. Keyless goes to 0."""

    @property
    def _sluice_log(self) -> Log:
        return cast(Log, self.app.sluice_log)  # type: ignore[attr-defined]  # our own App has it

    async def send_and_wait(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: HeadersArg | None,
        *,
        transactional_id: str | None = None,
    ) -> RecordMetadata:
        """Appends one record; raises what `Log.append` raises."""
        if partition is None:
            partition = await self._partition_of(topic, key)
        timestamp_ms = None if timestamp is None else int(timestamp * 1000)
        row = (key, value, timestamp_ms, _plain(headers))
        first, _ = await self._sluice_log.append(topic, partition, [row])
        return RecordMetadata(topic, partition, TP(topic, partition), first, timestamp, 0)

    async def send(self, *args: Any, **kwargs: Any) -> Awaitable[RecordMetadata]:
        """As `send_and_wait`; the future it returns is done."""
        done = asyncio.get_running_loop().create_future()
        done.set_result(await self.send_and_wait(*args, **kwargs))
        return done

    async def _partition_of(self, topic: str, key: bytes | None) -> int:
        partitions = (await self._sluice_log.topics()).get(topic)
        if partitions is None:
            raise UnknownTopic(topic)
        return 0 if key is None else partition_for(key, partitions)

    async def flush(self) -> None:
        """Nothing is ever on the way outside `buffer`, which Faust drains itself."""
        await self.buffer.flush()

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,
        *,
        config: Mapping[str, Any] | None = None,
        timeout: Seconds = 30.0,
        retention: Seconds | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        ensure_created: bool = False,
    ) -> None:
        """Makes the topic unless it is there; an existing one stays as it is."""
        kept_ms = None if retention is None else int(want_seconds(retention) * 1000)
        spec = TopicSpec(topic, partitions, compact=bool(compacting), retention_ms=kept_ms)
        await self._sluice_log.ensure_topic(spec)

    def supports_headers(self) -> bool:
        """Records have headers on both streams."""
        return True


def _plain(headers: HeadersArg | None) -> Headers:
    if not headers:
        return ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, value) for name, value in pairs)
