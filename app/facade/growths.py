"""More partitions for sessions and inputs: asking for them, and how far that is."""

import asyncio
from collections.abc import Sequence

from agents import growth_desk
from app.facade.parts import Parts
from app.growth_shapes import GrowthInfo, GrowthRefused, State
from app.shapes import Change
from config.topics import CONFIG
from tables.growths import Growth

LOOK_S = 0.05
WAIT_S = 10.0  # until the message is read: a worker that has `config` is needed


class GrowArea:
    """The facade's part of `Backend`, section Topics, that is about growths."""

    _parts: Parts

    async def growths(self) -> Sequence[GrowthInfo]:
        """See `Backend.growths`."""
        await self._parts.catch_up()
        return [_shown(growth) for growth in reversed(self._parts.documents.growths.known)]

    async def grow(
        self, partitions: int, inputs: Sequence[str] | None, change: Change
    ) -> GrowthInfo:
        """See `Backend.grow`."""
        await self._parts.catch_up()
        parts = self._parts
        known = self._grown(partitions)
        if known is not None:
            return _shown(known)
        await parts.engine.refresh_topics()
        problem = growth_desk.problem_of(parts.documents, parts.shards, partitions)
        if problem is not None:
            raise GrowthRefused(problem)
        if inputs is None:
            # those that may be read without a hop stay so
            inputs = [
                name
                for name in sorted(parts.documents.inputs() & growth_desk.may_grow(parts.documents))
                if parts.engine.topics.get(parts.names.topic(name)) == parts.shards
            ]
        problem = growth_desk.problem_of_inputs(parts.documents, inputs)
        if problem is not None:
            raise GrowthRefused(problem)
        key, value = growth_desk.ask(partitions, inputs, change.actor, change.reason)
        await parts.log.append(parts.names.topic(CONFIG), 0, [(key, value, None, ())])
        until = parts.monotonic_s() + WAIT_S
        while (growth := self._grown(partitions)) is None:
            if parts.monotonic_s() >= until:
                return GrowthInfo(parts.shards, partitions, "asked", tuple(inputs), (), 0)
            await asyncio.sleep(LOOK_S)
            await parts.catch_up()
        return _shown(growth)

    def _grown(self, partitions: int) -> Growth | None:
        known = self._parts.documents.growths.known
        return next((growth for growth in known if growth.after == partitions), None)


def _shown(growth: Growth) -> GrowthInfo:
    state: State = "finished" if growth.finished else "crossing" if growth.switched else "moving"
    moving = tuple(n for n in range(growth.before) if n not in growth.moved)
    waits = (
        [f"partition {n} of sessions" for n in moving]
        if growth.moving
        else [f"partition {n} of {topic}" for topic, n in growth.waiting]
    )
    return GrowthInfo(
        growth.before, growth.after, state, growth.inputs, tuple(waits), growth.at, growth.reason
    )
