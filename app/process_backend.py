"""What the console and the HTTP API ask of the running system about workers and what runs."""

from typing import Protocol

from app.process_shapes import Processes


class ProcessesBackend(Protocol):
    """Part of `app.backend.Backend`."""

    async def processes(self) -> Processes:
        """Every worker heard of in the last hour, this one first, and what runs on all of them."""

    async def cancel_process(self, process_id: str) -> bool | None:
        """Ends what runs under that id; False when it would lose something and goes on, None when
        nothing of that id runs (any more)."""
