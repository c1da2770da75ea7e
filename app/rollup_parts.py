"""The rollups of a worker put together: a ledger for each partition of `source-events`."""

from agents.roll_up import RollUp, RollupShard
from app.ledger_parts import LedgerMeans, LedgerParts, open_ledger


class RollupParts(LedgerParts[RollupShard]):
    """See the module."""

    role = "metrics"

    def __init__(self, means: LedgerMeans) -> None:
        self._means = means
        self.work: RollUp = RollUp(means.names, self._open)

    async def _open(self, number: int) -> RollupShard:
        ledger = await open_ledger(self._means, "rollups", number)
        return RollupShard(ledger, self._means.clock.now_ms)
