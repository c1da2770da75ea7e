"""What is on the topics and in the tables, as the `Backend` tells it."""

from collections.abc import Sequence, Set

from app import shapes
from app.facade.appends import Appends
from app.facade.backups import Backups
from app.facade.records import Records
from app.facade.tables import Tables
from app.facade.topics import TopicsArea
from connectors.streams.base import Row


class StreamArea:
    """See `Backend`, sections Topics and Tables."""

    _topics: TopicsArea
    _appends: Appends
    _records: Records
    _tables: Tables
    _backups: Backups

    # Topics

    async def topics(self, config: bool = False) -> Sequence[shapes.TopicInfo]:
        return await self._topics.listed(config)

    def output_topics(self) -> Set[str]:
        return self._topics.written()

    async def append_records(
        self, topic: str, rows: Sequence[Row], idempotency: shapes.Idempotency | None
    ) -> shapes.Appended:
        done = await self._appends.append(topic, rows, idempotency)
        return shapes.Appended(len(rows), done.repeated)

    async def read_records(
        self, topic: str, cursor: str, limit: int, wait_s: float
    ) -> shapes.RecordPage:
        return await self._records.read(topic, cursor, limit, wait_s)

    # Tables

    async def tables(self) -> Sequence[shapes.TableInfo]:
        return await self._tables.listed()

    async def table_row(self, table: str, key: str) -> shapes.TableRow | None:
        return await self._tables.one(table, key)

    async def table_rows(
        self, table: str, prefix: str, limit: int, cursor: str | None
    ) -> shapes.Page[shapes.TableRow] | None:
        return await self._tables.rows(table, prefix, limit, cursor)

    async def back_up(self, *, stream: bool) -> shapes.BackedUp:
        return await self._backups.make(stream=stream)
