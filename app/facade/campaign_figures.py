"""Figures of the campaign shards that are here, and what they wait for."""

from collections.abc import Iterator, Sequence

from app.campaign_parts import CampaignParts
from app.facade.parts import Parts
from app.shapes import Sample
from tables.store import RocksStore


class CampaignFigures:
    """Samples for /metrics: this worker's share."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def samples(self) -> Iterator[Sample]:
        """Those of the shards that are open here."""
        parts = self._parts.campaigns
        if parts is None:
            return
        now_ms = self._parts.clock.now_ms()
        for number, shard in parts.work.shards.open_ones().items():
            labels = {"shard": str(number)}
            yield Sample("sluice_campaign_records_total", shard.records, labels)
            yield Sample("sluice_campaign_timers_total", shard.timers, labels)
            yield Sample("sluice_campaign_commits_total", shard.commits, labels)
            due_ms = shard.ledger.next_due()
            # jobs have no time of their own: they are due whenever there is time
            late_s = max(0, now_ms - due_ms) / 1000 if due_ms else 0.0
            yield Sample("sluice_campaign_late_seconds", late_s, labels)
            held = parts.work.holding.get(number)
            held_s = 0.0 if held is None else self._parts.monotonic_s() - held.since_s
            yield Sample("sluice_campaign_held_seconds", held_s, labels)
            if isinstance(shard.ledger.store, RocksStore):
                size = shard.ledger.store.size_bytes()
                yield Sample("sluice_campaign_state_bytes", size, labels)
        yield Sample("sluice_campaign_orders_posted_total", parts.orders.posted)


def waits(parts: CampaignParts) -> list[str]:
    """Sentences on the stores that the shards wait for, one a store."""
    by_store: dict[tuple[str, str], list[int]] = {}
    for number, held in sorted(parts.work.holding.items()):
        by_store.setdefault((held.where, held.detail), []).append(number)
    return [
        f"Campaigns of {_partitions(numbers)} wait for the store {where}: {detail}. "
        "Nothing is lost; they go on by themselves when it is back."
        for (where, detail), numbers in by_store.items()
    ]


def _partitions(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers))
    return f"partition {named}" if len(numbers) == 1 else f"partitions {named}"
