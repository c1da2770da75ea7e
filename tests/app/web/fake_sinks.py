"""Sinks of the backend in memory."""

from collections.abc import Sequence

from app.sink_shapes import SinkPart, SinkStatus, Taken

SINK = "data-per-account"  # named as the aggregator is that it takes records of


class FakeSinks:
    """See `FakeBackend`: `size` is how much there is."""

    size: str

    async def sinks(self) -> Sequence[SinkStatus]:
        if self.size == "none":
            return []
        parts = [
            SinkPart(0, 1_204, 1_204, 1_200, 4, 0, 12),
            SinkPart(1, 990, 991, 990, 0, 17, 3, detail="answered 503", attempts=4, since_ms=0),
        ]
        to = "https://billing.example/hooks"
        return [SinkStatus(SINK, 2, "http", to, "aggregates", parts)]

    async def sink_taken(self, name: str, ids: Sequence[str]) -> Sequence[Taken] | None:
        if name != SINK:
            return None
        return [Taken(i, "taken", 0, 7) if i == "known" else Taken(i, "unknown") for i in ids]
