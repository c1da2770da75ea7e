"""What is told of growths of partitions."""

from dataclasses import dataclass
from typing import Literal

from domain.errors import SluiceError

State = Literal["asked", "moving", "crossing", "finished"]


@dataclass(frozen=True)
class GrowthInfo:
    """From `before` to `after` partitions. `waits_for`: phrases, what it waits for now.

    asked: not yet read by a worker; moving: sessions are on the move; crossing: inputs are being
    routed by the new number, one after the other; finished.
    """

    before: int
    after: int
    state: State
    inputs: tuple[str, ...]
    waits_for: tuple[str, ...]
    at_ms: int
    reason: str = ""


class GrowthRefused(SluiceError):
    """A number of partitions that can't be had now (422)."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)
