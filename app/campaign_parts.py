"""The campaigns of a worker put together: ledgers, rules, stores, executors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.campaign_flows import FlowsInForce, FlowsOfShard
from agents.campaign_stores import CampaignStores
from agents.campaigns import Campaigns
from agents.execute import ORDERS, Executing
from agents.flow_shard import FlowShard
from agents.order_lane import Posting
from agents.post_orders import PostOrders
from agents.uploads.events import UploadEvents
from agents.uploads.named_files import NamedFiles
from app.ledger_parts import LedgerMeans, open_ledger
from app.trail.by_topic import asked_teller
from connectors.executors.http import HttpExecutor
from connectors.files.opening import open_file, s3_access
from connectors.outbound import Outbound
from connectors.stores.opening import open_documents, open_negatives
from domain.aggregation.limit import Limit
from domain.campaigns import machine
from domain.campaigns.document import Flows
from tables.changelog import Changelog
from tables.documents import Documents
from tables.ledger_book import LedgerBook
from tables.orders import OrdersLog

ROLES = ("campaigns", "execute", "retrigger")


@dataclass(frozen=True)
class CampaignMeans(LedgerMeans):
    """What they need besides what every ledger does."""

    documents: Documents
    outbound: Outbound


class CampaignParts:
    """See the module. Made before the worker joins its group; opens nothing of a server."""

    def __init__(self, means: CampaignMeans) -> None:
        self._means = means
        self.flows = FlowsInForce(means.documents)
        settings = means.settings
        self._limit = Limit(
            settings.dead_letter_streak, settings.dead_letter_share, settings.dead_letter_window
        )
        self.stores = CampaignStores(
            open_documents(settings.documents, settings.data_dir),
            open_negatives(settings.negatives, settings.data_dir),
        )
        access = s3_access(settings)
        files = NamedFiles(settings.data_dir, lambda address: open_file(address, access))
        self.uploads = UploadEvents(files)
        self.work: Campaigns[Flows] = Campaigns(
            log=means.log,
            names=means.names,
            clock=means.clock,
            group=means.names.group,
            open_shard=self._open,
            send=means.send,
            uploads=self.uploads,
            limit=self._limit,
            tell=asked_teller(means.log, means.names.audit),
        )
        posting = Posting(HttpExecutor(means.outbound), self.flows, means.clock, means.send)
        self.orders = PostOrders(posting, self._open_orders)
        self._rules = Executing(machine)

    def books(self) -> dict[int, tuple[int, int, LedgerBook]]:
        """By number of the shards that are open here: the epoch of its claim, the sequence of its
        last commit, and what is committed, to be read before anything is awaited."""
        return {
            number: (
                shard.ledger.changelog.epoch,
                shard.ledger.marker.sequence,
                shard.ledger.view(),
            )
            for number, shard in self.work.shards.open_ones().items()
        }

    def wanted(self, roles: Sequence[str]) -> set[str]:
        """The physical topics that these roles consume."""
        found = Campaigns.topics(roles, self._means.names)
        if "execute" in roles and self.flows.posted():
            found.add(self._means.names.topic(ORDERS))
        return found

    async def _open(self, number: int) -> FlowShard[Flows]:
        means = self._means
        ledger = await open_ledger(means, "campaigns", number, self.stores.deliver)
        flows = FlowsOfShard(self.flows, number, self.work.shard_count)
        return FlowShard(ledger, self._rules, flows, means.clock.now_ms, self._limit)

    async def _open_orders(self, number: int) -> OrdersLog:
        means = self._means
        topic = means.names.changelog("orders")
        # somebody else may have made `executions`, with more partitions than ours have
        await means.log.widen_topic(topic, number + 1)
        log = OrdersLog(Changelog(means.log, topic, number, means.worker))
        await log.open()
        return log

    async def assign(self, assigned: set[tuple[str, int]]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        await self.work.assign(assigned)
        orders = self._means.names.topic(ORDERS)
        await self.orders.assign({number for topic, number in assigned if topic == orders})

    async def take(
        self, topic: str, partition: int, items: list[Any], still: Callable[[], bool]
    ) -> bool:
        """One batch; whether it was of a topic of theirs."""
        names = self._means.names
        if topic == names.topic(ORDERS):
            await self.orders.take(partition, items, still)
        elif topic in Campaigns.topics(ROLES, names):
            await self.work.take(topic, partition, items, still)
        else:
            return False
        return True

    async def stop(self) -> None:
        """Closes everything."""
        await self.work.stop()
        await self.orders.close()
        await self.stores.close()
