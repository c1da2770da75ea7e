"""A worker of the facade's tests with rollups."""

from collections.abc import Callable

from agents.roll_up import EVENTS
from app.facade.facade import Facade
from app.ledger_parts import LedgerMeans
from app.recoveries import Recoveries
from app.rollup_parts import RollupParts
from connectors.streams.base import Item
from domain.metrics.records import Record, encode
from tests.app.facade.house import NAMES, START_MS, Living


async def rolled(
    living: Living, records: list[Record], on_step: Callable[[int], None] = lambda _step: None
) -> Facade:
    """The facade of a worker that has rolled up these records, half of them on each partition."""
    parts = living.parts
    rollups = RollupParts(
        LedgerMeans(
            parts.settings, NAMES, living.clock, living.log, living.worker, living.engine.send,
            on_step, Recoveries(living.clock.now_ms),
        )
    )  # fmt: skip
    object.__setattr__(parts, "rollups", rollups)
    await rollups.work.assign({(EVENTS, number) for number in (0, 1)})
    for number in (0, 1):
        items: list[Item] = [
            (offset, START_MS, None, encode(record), ())
            for offset, record in enumerate(records[number::2])
        ]
        async with rollups.work.shards.use(number):
            pass  # it is open
        if items:
            await rollups.work.take(number, items, lambda: True)
    return living.facade
