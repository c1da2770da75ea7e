"""Questions about campaigns: to the shard of a flow, or to all of them, wherever they are open."""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.campaigns.answers import ASKS
from app.facade.campaigns.sources import Sources
from app.facade.owners import LOOK_S, MOVING_S, owned
from connectors.streams.murmur2 import partition_for
from domain.campaigns.keys import flow_of_request
from domain.clock import Clock

QUESTION = "campaign_answers"


class Asking:
    """Asks and answers."""

    def __init__(self, parts: Sources, peers: Peers, clock: Clock) -> None:
        self._parts, self._peers, self._clock = parts, peers, clock

    async def answer(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """This worker's answer to QUESTION: `ask` (see `answers.ASKS`), `shard` (None: all);
        with a `source` up to where its records are `applied`."""
        wanted, now_ms = asked["shard"], self._clock.now_ms()
        source = tuple(asked.get("source") or ())
        return {
            number: {
                "epoch": shard.epoch,
                "sequence": shard.sequence,
                "applied": shard.applied.get(source, -1),
                "told": ASKS[asked["ask"]](shard.book, asked, now_ms, self._parts.flows),
            }
            for number, shard in self._parts.books().items()
            if wanted is None or number == wanted
        }

    async def of_request(self, ask: str, request_id: str, **asked: Any) -> Any:
        """What the shard of a request tells; None when the id is none."""
        flow = flow_of_request(request_id)
        if not flow:
            return None
        return await self.of_flow(ask, flow, request_id=request_id, **asked)

    async def of_flow(self, ask: str, flow: str, /, **asked: Any) -> Any:
        """What the shard of a flow tells."""
        return (await self.with_sequence(ask, flow, **asked))[0]

    async def with_sequence(self, ask: str, flow: str, /, **asked: Any) -> tuple[Any, int]:
        """The same, with the number of the commit that it is of."""
        number = partition_for(flow.encode(), self._parts.shards())
        told = await self._ask({number}, {**asked, "ask": ask, "shard": number})
        return told[number]["told"], told[number]["sequence"]

    async def all(self, ask: str, **asked: Any) -> dict[int, Any]:
        """What every shard tells."""
        return {number: one["told"] for number, one in (await self.whole(ask, **asked)).items()}

    async def whole(self, ask: str, **asked: Any) -> dict[int, dict[str, Any]]:
        """What every shard tells, with what goes along: see `answer`."""
        numbers = set(range(self.shards))
        return await self._ask(numbers, {**asked, "ask": ask, "shard": None})

    @property
    def shards(self) -> int:
        """How many there are in all."""
        return self._parts.shards()

    async def _ask(self, numbers: set[int], asked: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """Raises Unavailable when a shard's answer can't be had soon."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + MOVING_S
        while True:
            told = owned(await self._peers.ask(QUESTION, dict(asked)))
            missing = sorted(numbers - told.keys())
            if not missing:
                return {number: told[number][1] for number in numbers}
            if clock() >= deadline:
                which = ", ".join(map(str, missing))
                raise Unavailable(
                    f"campaigns of shard {which}", "no worker has it open; it is being recovered"
                )
            await asyncio.sleep(LOOK_S)
