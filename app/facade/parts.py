"""What the areas of the facade are made of."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agents.collect import Collector
from agents.engine import Engine
from agents.sinks.lanes import SinkLanes
from agents.standbys import Standbys
from app.campaign_parts import CampaignParts
from app.cluster.members import Members
from app.facade.campaigns.sources import Sources
from app.impression_parts import ImpressionParts
from app.insight_parts import InsightParts
from app.recoveries import Recoveries
from app.rollup_parts import RollupParts
from config.clock import Clock
from config.names import Names
from config.settings import Settings
from config.topics import Topics
from connectors.streams.base import Log
from tables.documents import Documents


@dataclass(frozen=True)
class Parts:
    """The worker's parts. `worker` is its id; `catch_up` reads the documents to their newest.

    `any_users`: whether people are set up, so that phone numbers are masked.
    `sources` are those of what is told of campaigns: `campaigns` itself when they are left out.
    """

    worker: str
    roles: tuple[str, ...]
    settings: Settings
    clock: Clock
    log: Log
    documents: Documents
    engine: Engine
    sinks: SinkLanes
    members: Members
    catch_up: Callable[[], Awaitable[bool]]
    campaigns: CampaignParts | None = None
    sources: Sources | None = None
    collector: Collector | None = None
    rollups: RollupParts | None = None
    insight: InsightParts | None = None
    recoveries: Recoveries | None = None
    impressions: ImpressionParts | None = None
    standbys: Standbys | None = None
    any_users: Callable[[], bool] = lambda: False
    names: Names = field(init=False)
    topics: Topics = field(init=False)

    def __post_init__(self) -> None:
        names = Names(self.settings.app_id, self.settings.topic_prefix)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "topics", Topics(self.settings))

    def monotonic_s(self) -> float:
        """Real seconds, for what waits and what lasts."""
        return time.monotonic()

    async def partitions(self, physical: str) -> int | None:
        """The number of partitions of a topic; None when there is none of that name."""
        count = self.engine.topics.get(physical)
        if count is None:
            await self.engine.refresh_topics()
            count = self.engine.topics.get(physical)
        return count

    @property
    def shards(self) -> int:
        """How many shards there are in all."""
        return self.engine.topics[self.names.sessions_in]

    @property
    def placed(self) -> int:
        """By how many shards keys are placed now: fewer than there are while they grow."""
        return self.engine.shards_now()
