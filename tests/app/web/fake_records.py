"""The part of the backend in memory that holds topics and their records."""

from collections.abc import Sequence, Set

from app import shapes
from app.backend import BadCursor, IdempotencyConflict
from app.growth_shapes import GrowthInfo, GrowthRefused
from connectors.streams.base import Row, UnknownTopic
from tests.app.web import made


class FakeRecords:
    """Two topics, each of one partition. Of sessions there are 4, which grow to 8."""

    calls: list[str]

    def __init__(self) -> None:
        super().__init__()
        # topic -> its records
        self.records: dict[str, list[shapes.Record]] = {"usage": [], "config": []}
        # Idempotency-Key -> (fingerprint, rows)
        self.seen: dict[str, tuple[str, int]] = {}

    def _now(self) -> int:
        raise NotImplementedError

    async def topics(self, config: bool = False) -> Sequence[shapes.TopicInfo]:
        settings = {"cleanup.policy": "delete"} if config else None
        return [shapes.TopicInfo(name, 4, "records", config=settings) for name in self.records]

    def output_topics(self) -> Set[str]:
        return {"aggregates", "invoices"}

    async def append_records(
        self, topic: str, rows: Sequence[Row], idempotency: shapes.Idempotency | None
    ) -> shapes.Appended:
        if topic not in self.records:
            raise UnknownTopic(topic)
        now = self._now()
        if idempotency is not None and idempotency.key in self.seen:
            fingerprint, accepted = self.seen[idempotency.key]
            if fingerprint != idempotency.fingerprint:
                raise IdempotencyConflict(idempotency.key)
            return shapes.Appended(accepted, repeated=True)
        log = self.records[topic]
        for key, value, _, headers in rows:
            log.append(shapes.Record(0, len(log), now, key, value, headers))
        if idempotency is not None:
            self.seen[idempotency.key] = (idempotency.fingerprint, len(rows))
        return shapes.Appended(len(rows))

    async def read_records(
        self, topic: str, cursor: str, limit: int, wait_s: float
    ) -> shapes.RecordPage:
        if topic not in self.records:
            raise UnknownTopic(topic)
        log = self.records[topic]
        places = {"beginning": "0", "end": str(len(log))}
        at = places.get(cursor, cursor)
        if not at.isdigit():
            raise BadCursor(cursor)
        if wait_s and int(at) >= len(log):
            raise StreamOver
        found = log[int(at) : int(at) + limit]
        return shapes.RecordPage(found, str(int(at) + len(found)))

    async def growths(self) -> list[GrowthInfo]:
        return [GrowthInfo(4, 8, "moving", ("usage",), ("partition 1 of sessions",), made.NOW_MS)]

    async def grow(
        self, partitions: int, inputs: Sequence[str] | None, change: shapes.Change
    ) -> GrowthInfo:
        self.calls.append(f"grow to {partitions}, {change.reason}")
        if partitions <= 4:
            raise GrowthRefused("shards: expected more than 4")
        return (await self.growths())[0]


class StreamOver(ConnectionResetError):
    """Ends a followed stream as a client that went away would."""
