"""What this worker knows of its campaign shards: answers to questions, figures, what it waits for.

Reads see committed rows only, each answer one state of the shard: nothing is awaited within it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.campaign_parts import CampaignParts
from app.facade.parts import Parts
from app.shapes import Sample
from domain.campaigns import machine
from domain.campaigns.keys import key
from domain.campaigns.rows import Command, decode
from domain.campaigns.views import mean_seconds
from tables.ledger_book import LedgerBook
from tables.store import RocksStore

LIMIT = 5_000  # rows of one answer
Answers = dict[int, dict[str, Any]]
"""shard -> {"epoch" in which it was claimed, "answer": None where it knows nothing of it}"""
Query = Callable[[LedgerBook, dict[str, Any]], Any]


class CampaignShards:
    """The question `campaigns` (see `app/cluster/peers.py`): `query` names one below, `shard` is
    the one to ask, None for all that are here; the rest are the query's arguments:

    campaign: request_id, day (YYYYMMDD or None) · campaigns: request_ids, day · tabs: day ·
    fdd, why: fdd_id · command: id · get: keys · rows: prefix, after, limit ·
    recount, check: request_id, day · mean_seconds: flow
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.questions = {"campaigns": self.tell}
        self._queries: Mapping[str, Query] = {
            "campaign": self._campaign,
            "campaigns": self._campaigns,
            "tabs": lambda book, asked: machine.tabs(book, asked["day"]),
            "fdd": lambda book, asked: machine.fdd_json(book, asked["fdd_id"]),
            "why": lambda book, asked: machine.why_json(book, asked["fdd_id"]),
            "command": _command,
            "get": lambda book, asked: [book.get(each) for each in asked["keys"]],
            "rows": lambda book, asked: book.scan(
                asked["prefix"], asked["after"] or b"", min(asked["limit"], LIMIT)
            ),
            "recount": lambda book, asked: machine.recount(book, asked["request_id"], asked["day"]),
            "check": lambda book, asked: machine.check(book, asked["request_id"], asked["day"]),
            "mean_seconds": self._mean_seconds,
        }

    async def tell(self, asked: dict[str, Any]) -> Answers:
        """Answers for the shards that are here and ready."""
        query = self._queries[asked["query"]]
        wanted = asked.get("shard")
        parts = self._parts.campaigns
        open_ones = {} if parts is None else parts.work.shards.open_ones()
        return {
            number: {
                "epoch": shard.ledger.changelog.epoch,
                "answer": query(shard.ledger.view(), asked),
            }
            for number, shard in open_ones.items()
            if wanted is None or wanted == number
        }

    def _made(self) -> CampaignParts:
        parts = self._parts.campaigns
        if parts is None:
            raise LookupError("this worker has no campaigns")
        return parts

    def _campaign(self, book: LedgerBook, asked: dict[str, Any]) -> Any:
        now_ms = self._parts.clock.now_ms()
        return machine.campaign_json(
            book, asked["request_id"], asked["day"], now_ms, self._made().flows
        )

    def _campaigns(self, book: LedgerBook, asked: dict[str, Any]) -> Any:
        found = (
            self._campaign(book, {**asked, "request_id": each}) for each in asked["request_ids"]
        )
        return [each for each in found if each is not None]

    def _mean_seconds(self, book: LedgerBook, asked: dict[str, Any]) -> float | None:
        flow = self._made().flows(asked["flow"])
        return None if flow is None else mean_seconds(book, flow)

    def waits(self) -> list[str]:
        """Sentences on the stores that shards here wait for."""
        parts = self._parts.campaigns
        return [] if parts is None else waits(parts)

    def samples(self) -> Iterator[Sample]:
        """Figures of the shards that are here."""
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


def _command(book: LedgerBook, asked: dict[str, Any]) -> Any:
    data = book.get(key("k", asked["id"]))
    return None if data is None else machine.command_json(decode(Command, data))
