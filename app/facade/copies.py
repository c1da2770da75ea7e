"""What this worker knows of shards that others own, from its standby copies: plain data with an
age, asked for when an owner does not answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agents.standbys import Standbys
from app.facade.ledger_rows import LEDGERS, QUESTION, tell_rows
from app.facade.parts import Parts
from app.facade.shard_rows import Answers, Holder, ShardRows
from tables.ledger_book import LedgerBook
from tables.ledger_standby import LedgerCopy
from tables.standby import ShardCopy

OF_COPIES = "copied_"
"""Stands before the name of a question that copies answer."""


class Copies:
    """The questions (see `app/cluster/peers.py`): those of owners, with `age_s` in each answer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        rows = ShardRows(parts, self._shards)
        asked: Mapping[str, Callable[[dict[str, Any]], Awaitable[Answers]]] = {
            "sessions": rows.sessions,
            "rows": rows.rows,
            QUESTION: self._ledger_rows,
        }
        self.questions = {OF_COPIES + name: self._aged(one) for name, one in asked.items()}

    def _kept(self) -> Standbys | None:
        return self._parts.standbys

    def _shards(self) -> Mapping[int, Holder]:
        kept = self._kept()
        found = {} if kept is None else kept.readable("sessions")
        return {n: copy for n, (copy, _) in found.items() if isinstance(copy, ShardCopy)}

    def _books(self, table: str) -> dict[int, tuple[int, LedgerBook]]:
        kept = self._kept()
        found = {} if kept is None or table not in LEDGERS else kept.readable(table)
        return {
            n: (copy.changelog.epoch, copy.ledger.view())
            for n, (copy, _) in found.items()
            if isinstance(copy, LedgerCopy)
        }

    async def _ledger_rows(self, asked: dict[str, Any]) -> Answers:
        return await tell_rows(self._books, asked)

    def _aged(
        self, question: Callable[[dict[str, Any]], Awaitable[Answers]]
    ) -> Callable[[dict[str, Any]], Awaitable[Answers]]:
        async def answer(asked: dict[str, Any]) -> Answers:
            kept = self._kept()
            if kept is None:
                return {}
            table = asked.get("table", "sessions")
            # before the rows are read: what comes meanwhile makes them no older
            ages = kept.readable(table if table in LEDGERS else "sessions")
            told = await question(asked)
            return {n: one | {"age_s": ages[n][1]} for n, one in told.items() if n in ages}

        return answer
