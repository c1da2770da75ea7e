"""The shapes in which the running system tells of sinks (see app/backend.py); as app/shapes.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["caught up", "delivering", "failing", "stopped"]
Fate = Literal["taken", "waiting", "refused", "unknown"]


@dataclass(frozen=True)
class SinkPart:
    """A sink on one partition of its topic. `next` is the offset to be delivered next, None when no
    worker has it. `sent` = `accepted` + `refused` + those being sent. `waiting` counts what is
    behind `next`, other sinks' records among them. `missed` were deleted before their turn."""

    partition: int
    next: int | None
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    waiting: int = 0
    passed: int = 0
    repeated: int = 0
    missed: int = 0
    detail: str = ""
    attempts: int = 0
    since_ms: int | None = None

    @property
    def state(self) -> State:
        """In a word."""
        if self.next is None:
            return "stopped"
        if self.detail:
            return "failing"
        return "delivering" if self.waiting else "caught up"


@dataclass(frozen=True)
class SinkStatus:
    """A sink in force. `kind` is that of its target, `target` where it is, without secrets."""

    name: str
    version: int
    kind: str
    target: str
    input: str
    parts: Sequence[SinkPart]

    def total(self, count: str) -> int:
        """A count of all partitions."""
        return sum(int(getattr(part, count)) for part in self.parts)

    @property
    def state(self) -> State:
        """The worst of its partitions."""
        found = {part.state for part in self.parts}
        for state in ("stopped", "failing", "delivering"):
            if state in found:
                return state
        return "caught up"

    @property
    def trouble(self) -> SinkPart | None:
        """The partition that fails longest."""
        failing = [part for part in self.parts if part.state == "failing"]
        return min(failing, key=lambda part: part.since_ms or 0, default=None)


@dataclass(frozen=True)
class Taken:
    """What became of one id; the position is that of the record on the sink's topic."""

    id: str
    state: Fate
    partition: int | None = None
    offset: int | None = None
