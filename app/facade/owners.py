"""Answers about all shards, from whichever workers own them."""

import asyncio
from typing import Any

from app import aged
from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.copies import OF_COPIES
from app.facade.parts import Parts

MOVING_S = 5.0  # how long a question waits for a shard that is being taken over
LOOK_S = 0.1
COPY_S = 0.3  # how long an owner is waited for where a copy may answer

Told = dict[int, tuple[str, dict[str, Any]]]
"""shard -> (worker that owns it, what it tells)"""
Rows = tuple[list[tuple[int, str, list[Any]]], Any]
"""[(shard, worker, row)] in the order of the rows' first element, and up to where all shards have
been looked through (None: to the end)."""
SPARE = 1.25  # what a shard is asked for beyond its share, as shares are not alike


class Owners:
    """Puts questions about shards."""

    def __init__(self, parts: Parts, peers: Peers) -> None:
        self._parts = parts
        self._peers = peers

    async def now(self, question: str, arguments: dict[str, Any]) -> Told:
        """What can be told at once; shards that nobody has open are missing."""
        return owned(await self._peers.ask(question, arguments))

    async def all(
        self,
        question: str,
        arguments: dict[str, Any],
        shards: int | None = None,
        *,
        or_copy: bool = False,
    ) -> Told:
        """The answer of every shard's owner: of all shards of sessions, or of so many. Raises
        Unavailable when one can't be had soon.

        With `or_copy` a standby copy answers for an owner that does not, and that is noted
        (`app/aged.py`): for what people look at, never for what something is decided by.
        """
        count = self._parts.shards if shards is None else shards
        or_copy = or_copy and self._parts.settings.standby > 0
        began = asyncio.get_running_loop().time()
        while True:
            told = await self.now(question, arguments)
            missing = {number for number in range(count) if number not in told}
            waited_s = asyncio.get_running_loop().time() - began
            if missing and or_copy and waited_s >= COPY_S:
                copied = await self._copied(question, arguments, missing)
                told |= copied
                missing -= copied.keys()
            if not missing:
                return told
            if waited_s >= MOVING_S:
                which = ", ".join(map(str, sorted(missing)))
                what = "partition" if len(missing) == 1 else "partitions"
                raise Unavailable(
                    f"state of {what} {which}", "no worker has it open; it is being recovered"
                )
            await asyncio.sleep(LOOK_S)

    async def rows(
        self,
        question: str,
        asked: dict[str, Any],
        limit: int,
        after: bytes | None,
        shards: int | None = None,
        examine: int | None = None,
    ) -> tuple[*Rows, Told]:
        """For people to look at: the first rows of all shards behind `after`, at most `limit` of
        them, up to where all were looked through (None: to the end), and what the shards told last.

        With `examine` it ends when so many rows were looked at, however few were found. The
        question has to know `limit`, `after`, and `examine`; a copy may answer it.
        """
        count = self._parts.shards if shards is None else shards
        found: list[tuple[int, str, list[Any]]] = []
        left = examine
        while True:
            more = limit - len(found)
            wanted = {**asked, "after": after, "limit": share(more, count)}
            if left is not None:
                wanted["examine"] = max(1, left // max(1, count))
            told = await self.all(question, wanted, count, or_copy=True)
            some, after = page(told, more)
            found += some
            if left is not None:
                left -= sum(one.get("examined", left) for _, one in told.values())
            if after is None or len(found) >= limit or (left is not None and left <= 0):
                return found, after, told

    async def _copied(self, question: str, arguments: dict[str, Any], missing: set[int]) -> Told:
        """What the youngest copy of each of these shards tells, if there is one."""
        found: Told = {}
        answers = await self._peers.ask(OF_COPIES + question, arguments)
        for worker, answer in answers.items():
            for number in missing & answer.keys():
                one = answer[number]
                if number not in found or one["age_s"] < found[number][1]["age_s"]:
                    found[number] = worker, one
        if found.keys() >= missing:  # else nothing is answered by them yet
            for _, one in found.values():
                aged.note(one["age_s"])
        return found


def owned(answers: dict[str, dict[int, dict[str, Any]]]) -> Told:
    """For each shard the answer of the worker that claimed it last."""
    told: Told = {}
    for worker, answer in answers.items():
        for number, one in answer.items():
            if number not in told or told[number][1]["epoch"] < one["epoch"]:
                told[number] = worker, one
    return told


def share(limit: int, shards: int) -> int:
    """How many rows to ask each shard for, so that all together have the first `limit`, mostly."""
    return limit if shards < 2 else min(limit, int(limit * SPARE / shards) + 3)


def page(told: Told, limit: int) -> Rows:
    """At most `limit` of the rows that were told."""
    unfinished = [one["reached"] for _, one in told.values() if one["reached"] is not None]
    horizon = min(unfinished) if unfinished else None
    rows = [
        (number, worker, row)
        for number, (worker, one) in told.items()
        for row in one["rows"]
        if horizon is None or row[0] <= horizon
    ]
    rows.sort(key=lambda found: found[2][0])
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1][2][0]
    return rows, horizon
