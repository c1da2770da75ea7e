"""What this worker's shards know of operators' commands: how many sessions one would touch, and
what came of those that were given. Plain data: the others ask for it too.
"""

import asyncio
from typing import Any

from agents.commands import read_order
from app.facade.parts import Parts
from domain.aggregation.command import Selection
from domain.aggregation.flush import to_json
from domain.aggregation.keys import matches
from domain.aggregation.rule import split_row_key
from tables.codec import decode_row
from tables.layout import COMMAND, COMMAND_END, ROW, command_key
from tables.shard import Shard

PIECE = 500  # rows of one scan: some milliseconds in which nothing else runs
COUNTED = 20_000  # rows of one question and shard: some tenths of a second


class Commanded:
    """The questions `count` and `commands` (see `app/cluster/peers.py`)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def count(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """Open sessions that the command of `message` would touch, on the shards of `after`, behind
        the row key that it names for each: `sessions`, `records`, and the row key `reached`, None
        at the end.
        """
        while not self._parts.documents.versions_of(asked["aggregator"]):
            if not await self._parts.catch_up():
                return {}
        rules = self._parts.documents.versions_of(asked["aggregator"])
        command = read_order(asked["message"], rules)
        selection = Selection(rules, command)
        erases = command.action == "erase"
        found = {}
        for number, after in asked["after"]:
            counted = await self._count(number, selection, erases, after)
            if counted is not None:
                found[number] = counted
        return found

    async def _count(
        self, number: int, selection: Selection, erases: bool, after: bytes
    ) -> dict[str, Any] | None:
        """None when the shard isn't open here."""
        sessions = records = looked = 0
        rule_of = self._parts.documents.rule
        floor = ROW + after + b"\0" if after else b""
        for (first, end), tests in selection.ranges:
            at, stop = max(ROW + first, floor), ROW + end
            while at < stop:
                shard = self._shard(number)
                if shard is None:
                    return None
                piece = list(shard.store.scan(at, stop, PIECE))
                for key, value in piece:
                    name, _, session_key = split_row_key(key[1:])
                    row = decode_row(value) if matches(session_key, tests) else None
                    session = None if row is None else row.open
                    if row is not None and erases:
                        sessions += 1
                        records += 0 if session is None else session.count
                        continue
                    if session is None:
                        continue
                    if selection.takes(rule_of(name, session.version), session_key, session):
                        sessions += 1
                        records += session.count
                looked += len(piece)
                if len(piece) < PIECE:
                    break
                at = piece[-1][0] + b"\0"
                if looked >= COUNTED:
                    return self._told(number, sessions, records, piece[-1][0][1:])
                await asyncio.sleep(0)
        return self._told(number, sessions, records, None)

    def _told(
        self, number: int, sessions: int, records: int, reached: bytes | None
    ) -> dict[str, Any] | None:
        shard = self._shard(number)
        if shard is None:
            return None
        return {
            "epoch": _epoch(shard),
            "sessions": sessions,
            "records": records,
            "reached": reached,
        }

    async def commands(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """The answers to a command that are kept, as they went to the audit: by its `id`, or by the
        `position` of its message on `config`.
        """
        found = {}
        for number, one in self._parts.engine.shards.open_ones().items():
            shard = one.shard
            if asked["position"] is not None:
                at = command_key(*asked["position"])
                answers = [value for value in shard.store.get_many([at]) if value is not None]
            else:
                wanted = to_json(asked["id"])
                kept = shard.store.scan(COMMAND, COMMAND_END)
                answers = [value for _, value in kept if wanted in value]
            found[number] = {"epoch": _epoch(shard), "answers": answers}
        return found

    def _shard(self, number: int) -> Shard | None:
        found = self._parts.engine.shards.open_ones().get(number)
        return None if found is None else found.shard


def _epoch(shard: Shard) -> int:
    return 0 if shard.changelog is None else shard.changelog.epoch
