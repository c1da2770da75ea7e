"""A growth that is under way, for a backend that answers at once."""

from collections.abc import Sequence

from app import shapes
from app.growth_shapes import GrowthInfo, GrowthRefused
from tests.app.web import made


class FakeGrowths:
    """Sessions move from 4 partitions to 8."""

    calls: list[str]

    async def growths(self) -> list[GrowthInfo]:
        return [GrowthInfo(4, 8, "moving", ("usage",), ("partition 1 of sessions",), made.NOW_MS)]

    async def grow(
        self, partitions: int, inputs: Sequence[str] | None, change: shapes.Change
    ) -> GrowthInfo:
        self.calls.append(f"grow to {partitions}, {change.reason}")
        if partitions <= 4:
            raise GrowthRefused("shards: expected more than 4")
        return (await self.growths())[0]
