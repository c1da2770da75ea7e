"""Customers taken out of funnel and usage events, at whichever workers own their shards.

Page by page, so that no call lasts; each page is durable before the next is asked for. Cut short,
it is asked for again and finds what is left. What comes in afterwards is not looked at.
"""

import asyncio
from typing import Any

from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.owners import LOOK_S, MOVING_S, owned
from app.facade.parts import Parts
from domain.insight.erase import Whom

ERASE = "insight_erase"


class InsightErasing:
    """`questions` are what the workers ask each other."""

    def __init__(self, parts: Parts, peers: Peers) -> None:
        self._parts, self._peers = parts, peers
        self.questions = {ERASE: self._own}

    async def _own(self, asked: dict[str, Any]) -> dict[int, Any]:
        insight = self._parts.insight
        whom = Whom(asked["customers"], frozenset(asked["campaigns"]))
        return {} if insight is None else await insight.work.erase(
            asked["left"], whom, asked["dry_run"]
        )  # fmt: skip

    async def erase(self, whom: Whom, dry_run: bool) -> int:
        """How many events named them. Raises Unavailable while a shard can't be had."""
        clock = asyncio.get_running_loop().time
        count = await self._parts.partitions(self._parts.names.insight_in) or 0
        left = dict.fromkeys(range(count), b"")
        events, deadline = 0, clock() + MOVING_S
        while left:
            told = owned(await self._peers.ask(ERASE, {
                "left": left, "customers": list(whom.customers),
                "campaigns": sorted(whom.campaigns), "dry_run": dry_run,
            }))  # fmt: skip
            for number, (_, one) in told.items():
                events += one["events"]
                left[number] = one["reached"]
            left = {number: after for number, after in left.items() if after is not None}
            if told:
                deadline = clock() + MOVING_S
            elif clock() >= deadline:
                which = ", ".join(map(str, left))
                raise Unavailable(f"events of shard {which}", "no worker has it open")
            else:
                await asyncio.sleep(LOOK_S)
        return events
