"""What this worker knows by itself of its shards, as plain data: the others ask for it too.

Reads see committed state only: what is in the stores.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agents.aggregate import ShardProcessor
from app.facade.commanded import Commanded
from app.facade.parts import Parts
from app.facade.shard_rows import Answers, ShardRows, epoch_of
from domain.aggregation.session import is_withdrawn
from tables.layout import SEEN, pack_totals
from tables.sights import resolved
from tables.store import MemoryStore

_SIGHTS_END = bytes([SEEN[0] + 1])


class Local:
    """The questions (see `app/cluster/peers.py`). `figures` comes from the sampler, `more` from
    other areas."""

    def __init__(
        self,
        parts: Parts,
        figures: Callable[[dict[str, Any]], Awaitable[Any]],
        more: Mapping[str, Callable[[dict[str, Any]], Awaitable[Any]]],
    ) -> None:
        self._parts = parts
        self._rows = rows = ShardRows(parts, self._open)
        commanded = Commanded(parts)
        self.questions: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "totals": self.totals,
            "settled": self.settled,
            "sights": self.sights,
            "withdrawn": self.withdrawn,
            "sessions": rows.sessions,
            "seen": self.seen,
            "rows": rows.rows,
            "figures": figures,
            "count": commanded.count,
            "commands": commanded.commands,
            **more,
        }

    def add(self, more: Mapping[str, Callable[[dict[str, Any]], Awaitable[Any]]]) -> None:
        """Answers these questions too."""
        self.questions.update(more)

    def _open(self) -> dict[int, ShardProcessor]:
        return self._parts.engine.shards.open_ones()

    async def totals(self, _: dict[str, Any]) -> Answers:
        """Control totals by aggregator, packed."""
        return {
            number: {"epoch": epoch_of(one.shard), "totals": pack_totals(one.shard.totals)}
            for number, one in self._open().items()
        }

    async def settled(self, _: dict[str, Any]) -> Answers:
        """`effective_now`, and how many outputs are decided and not known to be out: `unsent`;
        `released` tells that a growth to so many shards is over here."""
        return {
            number: {
                "epoch": epoch_of(one.shard),
                "effective_now": one.shard.marks.effective_now,
                "released": one.shard.marks.released,
                "unsent": one.shard.numbered - one.shard.marks.sent,
            }
            for number, one in self._open().items()
        }

    async def sights(self, asked: dict[str, Any]) -> Answers:
        """First sights of an event id: `event_id`, `exact` (a key of the store) or None for under
        whatever session, `after`, `limit`. Rows are [key behind SEEN, sight]."""
        event_id, exact = asked["event_id"], asked["exact"]

        def take(key: bytes, value: bytes, _: Any) -> list[Any] | None:
            return [key[1:]] if key.endswith(event_id) else None

        first, end = (SEEN, _SIGHTS_END) if exact is None else (exact, exact + b"\0")
        answers = await self._rows.scan([(first, end, None)], SEEN, asked, take)
        shards = self._open()
        for number, answer in answers.items():
            keys = [SEEN + row[0] for row in answer["rows"]]
            store = shards[number].shard.store if number in shards else MemoryStore()
            told = resolved(store, keys, store.get_many(keys))  # some may be gone by now
            answer["rows"] = [[key[1:], told[key]] for key in keys if key in told]
        return answers

    async def withdrawn(self, asked: dict[str, Any]) -> Answers:
        """Whether the session of `row_key` that counted the record at `position` was deleted or
        expired."""
        key, position = asked["row_key"], asked["position"]
        return {
            number: {
                "epoch": epoch_of(one.shard),
                "withdrawn": is_withdrawn(one.shard.load([key])[key], *position),
            }
            for number, one in self._open().items()
        }

    async def seen(self, asked: dict[str, Any]) -> Answers:
        """First sights of event ids: `row_key`, `ids`; [[id, topic, partition, offset, timestamp,
        forget at]] of those that are known."""
        return {
            number: {
                "epoch": epoch_of(one.shard),
                "seen": [
                    [event_id, *sight]
                    for event_id, sight in one.shard.seen(asked["row_key"], asked["ids"]).items()
                ],
            }
            for number, one in self._open().items()
        }
