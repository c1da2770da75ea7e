"""What people did with campaigns, of one worker: a ledger for each partition of their events."""

from agents.insight import Insight, InsightShard
from app.ledger_parts import LedgerMeans, LedgerParts, open_ledger


class InsightParts(LedgerParts[InsightShard]):
    """See the module."""

    role = "campaigns"

    def __init__(self, means: LedgerMeans) -> None:
        self._means = means
        self.work: Insight = Insight(means.names, self._open)

    async def _open(self, number: int) -> InsightShard:
        ledger = await open_ledger(self._means, "insight", number)
        return InsightShard(ledger, self._means.clock.now_ms)
