"""What the console and the HTTP API ask of the running system about sources.

Part of `app.backend.Backend`; what is said there of errors, times and cursors holds here. None is
answered for a source or fetch that nobody has heard of.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.source_shapes import Fetch, Rebuild, Receipt, SourceStatus


class SourcesBackend(Protocol):
    """Sources of the running system."""

    async def metric_sources(self) -> Sequence[SourceStatus]:
        """Every source in force, by name."""

    async def fetch_source(
        self, name: str, from_ms: int | None, to_ms: int | None, *, trial: bool
    ) -> Fetch | None:
        """Asks for a fetch, which begins when the one under way is over; both times, or none.
        `trial` makes one call and stores nothing. Raises FetchRefused, and Unavailable while no
        worker has the source."""

    async def fetch_of_source(self, name: str, fetch_id: str, wait_s: float) -> Fetch | None:
        """How such a fetch is doing, or how it ended; waits up to `wait_s` for its end."""

    async def rebuild_source(self, name: str) -> Rebuild | None:
        """Begins to make the rollups of a source again from its archive; the one under way, if
        there is one. Raises Unavailable while no worker has its shard."""

    async def rebuild_of_source(self, name: str, rebuild_id: str, wait_s: float) -> Rebuild | None:
        """How such a rebuild is doing, or how it ended; waits up to `wait_s` for its end."""

    async def receive_hook(
        self, name: str, headers: Mapping[str, str], body: bytes
    ) -> Receipt | None:
        """Takes what was pushed to a source; durable when it returns. Raises BadSignature,
        BadDelivery, RecordTooLarge."""
