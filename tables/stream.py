"""What tables need of a stream; both streams of `connectors` fit it, as does the one of the test
kit.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]
Item = tuple[int, int, bytes | None, bytes | None, Headers]
Row = tuple[bytes | None, bytes | None, int | None, Headers]


class Slice(Protocol):
    """Records read: `items` in order, `next_offset` to go on with, `end_offset` of the log when
    read.
    """

    @property
    def items(self) -> list[Item]: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def end_offset(self) -> int: ...


class Stream(Protocol):
    """See `connectors/streams/base.py` for the contract of each."""

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]: ...
    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
    ) -> Slice: ...
    async def begin_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]: ...
    async def end_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]: ...
