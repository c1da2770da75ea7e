"""The shards that this worker owns: opened when assigned, closed when lost, used by one task at a
time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from domain.errors import SluiceError


class Opened(Protocol):
    """A shard that is open."""

    async def still_ours(self) -> bool:
        """Whether nobody else has written to the shard's changelog since our last commit."""

    def close(self) -> None:
        """Closes its store."""


P = TypeVar("P", bound=Opened)


class NotOwned(SluiceError):
    """The shard isn't this worker's (any more): whoever owns it gets the batch again."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"shard {number} is not assigned to this worker")


class _Slot(Generic[P]):
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.ready: asyncio.Future[P] = asyncio.get_running_loop().create_future()
        self.opening: asyncio.Task[None] | None = None


class Shards(Generic[P]):
    """See the module. `open_shard` recovers and claims one; what it raises, the caller of `use`
    gets.
    """

    def __init__(self, open_shard: Callable[[int], Awaitable[P]]) -> None:
        self._open_shard = open_shard
        self._slots: dict[int, _Slot[P]] = {}
        self._changed = asyncio.Event()

    @property
    def owned(self) -> list[int]:
        return sorted(self._slots)

    @property
    def opened(self) -> list[int]:
        """Those of them that are ready."""
        return [
            number
            for number in self.owned
            if (ready := self._slots[number].ready).done()
            and not ready.cancelled()
            and ready.exception() is None
        ]

    def open_ones(self) -> dict[int, P]:
        """Those that are ready, for reading; raises what one of them could not be opened for."""
        for slot in self._slots.values():
            if slot.ready.done() and not slot.ready.cancelled():
                slot.ready.result()
        return {
            number: slot.ready.result()
            for number, slot in sorted(self._slots.items())
            if slot.ready.done() and not slot.ready.cancelled()
        }

    async def assign(self, numbers: set[int]) -> None:
        """Makes exactly these this worker's: others are closed, those kept go on unless somebody
        else had them.
        """
        for number in self._slots.keys() - numbers:
            await self._release(number)
        for number in sorted(numbers & self._slots.keys()):
            slot = self._slots[number]
            async with slot.lock:
                unharmed = (
                    slot.ready.done()
                    and slot.ready.exception() is None
                    and await slot.ready.result().still_ours()
                )
            if not unharmed and slot.ready.done():
                await self._release(number)
        for number in sorted(numbers - self._slots.keys()):
            self._begin(number)
        self._changed.set()
        self._changed = asyncio.Event()

    async def again(self, number: int) -> None:
        """Closes one and opens it anew: what was only in memory is let go of, as by a kill."""
        if number in self._slots:
            await self._release(number)
            self._begin(number)

    def _begin(self, number: int) -> None:
        slot = self._slots[number] = _Slot[P]()
        slot.opening = asyncio.create_task(self._open(number, slot))
        slot.opening.add_done_callback(lambda _: _left(number, slot))

    async def _open(self, number: int, slot: _Slot[P]) -> None:
        try:
            processor = await self._open_shard(number)
        except asyncio.CancelledError:
            raise  # it was released
        except BaseException as error:
            _fail(slot, error)
            if not isinstance(error, Exception):
                raise
        else:
            slot.ready.set_result(processor)

    async def _release(self, number: int) -> None:
        slot = self._slots.pop(number)
        if slot.opening is not None and not slot.ready.done():
            # reading a changelog may take longer than anybody waits for a worker; who has the shard
            # next reads it again
            slot.opening.cancel()
        async with slot.lock:
            try:
                processor = await slot.ready
            except SluiceError:
                return
            processor.close()

    @asynccontextmanager
    async def use(
        self, number: int, wait_owned: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[P]:
        """The shard, for this task alone; raises NotOwned. While `wait_owned()` it waits to be
        assigned.
        """
        while number not in self._slots:
            if not wait_owned():
                raise NotOwned(number)
            changed = self._changed
            try:
                async with asyncio.timeout(0.2):
                    await changed.wait()
            except TimeoutError:
                continue
        slot = self._slots[number]
        async with slot.lock:
            if self._slots.get(number) is not slot:
                raise NotOwned(number)
            yield await slot.ready

    async def close(self) -> None:
        """Closes all of them. A batch that is under way finishes first; what is being opened is cut
        off.
        """
        for number in list(self._slots):
            await self._release(number)


def _fail(slot: _Slot[P], error: BaseException) -> None:
    if not slot.ready.done():
        slot.ready.set_exception(error)
        slot.ready.exception()  # seen: whoever uses the shard gets it, and nobody may


def _left(number: int, slot: _Slot[P]) -> None:
    """An opening that was cut off, maybe before it had begun, came to nothing."""
    _fail(slot, NotOwned(number))
