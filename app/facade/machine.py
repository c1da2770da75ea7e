"""What this process takes of its machine, looked at once a second, by the minute over an hour."""

import asyncio
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from app.facade.looking import Looking
from app.facade.parts import Parts
from app.process_shapes import Minute
from tables.store import RocksStore

SIZES_S = 10.0  # between two looks at how large the state is
MINUTES = 60
RATE_S = 10.0  # CPU is that of so long
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def memory_bytes() -> int:
    """Memory that the process holds."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:  # no Linux: the most that it ever held
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass
class _Sum:
    """A minute so far."""

    minute: int
    cpu_s: float = 0.0
    span_s: float = 0.0
    memory: int = 0
    loop_lag_s: float = 0.0
    state_bytes: int = 0

    def made(self) -> Minute:
        cpu = self.cpu_s / self.span_s if self.span_s else 0.0
        return Minute(
            self.minute * 60_000, round(cpu, 4), self.memory, round(self.loop_lag_s, 4),
            self.state_bytes,
        )  # fmt: skip


@dataclass
class Machine:
    """Call `start`; `crash` hears of what must not happen. `real_s` is the machine's clock."""

    parts: Parts
    crash: Callable[[BaseException], None]
    now_s: Callable[[], float] = time.monotonic
    real_s: Callable[[], float] = time.time
    cpu_s: Callable[[], float] = time.process_time
    cpu: float = 0.0
    memory: int = field(default_factory=memory_bytes)
    loop_lag_s: float = 0.0
    state_bytes: int = 0
    _minutes: deque[Minute] = field(default_factory=lambda: deque(maxlen=MINUTES - 1))
    _now: _Sum | None = None
    _samples: deque[tuple[float, float]] = field(default_factory=deque)
    _sized_s: float = float("-inf")
    _looking: Looking | None = None

    async def start(self) -> None:
        """Looks once, and then every second until `stop`."""
        self._looking = Looking(self.look, self.crash, self.now_s)
        await self._looking.start()

    async def stop(self) -> None:
        """Ends it."""
        if self._looking is not None:
            await self._looking.stop()

    async def look(self, lag_s: float) -> None:
        """Takes one sample; `lag_s` is how much later than asked for it comes."""
        at_s, cpu_s = self.now_s(), self.cpu_s()
        if at_s - self._sized_s >= SIZES_S:
            self._sized_s = at_s
            self.state_bytes = await asyncio.to_thread(_size, list(self._stores()))
        self.loop_lag_s, self.memory = lag_s, memory_bytes()
        minute = int(self.real_s() // 60)
        if self._now is None or minute > self._now.minute:
            if self._now is not None:
                self._minutes.append(self._now.made())
            self._now = _Sum(minute)
        if self._samples:
            before_s, before_cpu_s = self._samples[-1]
            self._now.cpu_s += cpu_s - before_cpu_s
            self._now.span_s += at_s - before_s
            first_s, first_cpu_s = self._samples[0]
            self.cpu = round((cpu_s - first_cpu_s) / max(at_s - first_s, 1e-3), 4)
        self._samples.append((at_s, cpu_s))
        while at_s - self._samples[0][0] > RATE_S:
            self._samples.popleft()
        self._now.memory = max(self._now.memory, self.memory)
        self._now.loop_lag_s = max(self._now.loop_lag_s, lag_s)
        self._now.state_bytes = self.state_bytes

    def history(self) -> list[Minute]:
        """The last hour, the minute under way included."""
        return [*self._minutes, *([] if self._now is None else [self._now.made()])]

    def _stores(self) -> Iterable[object]:
        parts = self.parts
        for one in parts.engine.shards.open_ones().values():
            yield one.shard.store
        if parts.campaigns is not None:
            for flows in parts.campaigns.work.shards.open_ones().values():
                yield flows.ledger.store
        for ledgers in (parts.rollups, parts.insight):
            if ledgers is not None:
                for shard in ledgers.work.shards.open_ones().values():
                    yield shard.ledger.store


def _size(stores: list[object]) -> int:
    """Bytes on disk; a store that is closed meanwhile has its files all the same."""
    total = 0
    for store in stores:
        if isinstance(store, RocksStore):
            try:
                total += store.size_bytes()
            except FileNotFoundError:
                continue  # a file that a compaction has just removed: the next look has it right
    return total
