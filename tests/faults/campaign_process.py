"""A real worker of campaigns in a process of its own: `python -m tests.faults.campaign_process`.

It answers what `worker_process` does, and what is asked of campaigns.
"""

import asyncio
import sys
from typing import Any

from agents.campaigns import Campaigns
from agents.flow_shard import FlowShard
from app.campaign_parts import ROLES
from domain.campaigns.check import check, recount, slots_of
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, decode
from domain.campaigns.views import campaign_json, campaigns_of_day, tabs
from tests.faults.worker_process import Answers, main


class CampaignAnswers(Answers):
    """See the module. Days are `YYYYMMDD`."""

    def _shards(self) -> dict[int, FlowShard[Any]]:
        return self._worker().campaigns.work.shards.open_ones()

    async def quiet(self, at_ms: int) -> dict[str, Any]:
        """What there still is to do at that instant (`busy`), and the last commit of each shard:
        when nothing is busy and no commit came in between, nothing will happen by itself."""
        worker = self._worker()
        busy = []
        if worker.clock.now_ms() != at_ms:
            busy.append("the clock")
        mine = Campaigns.topics(ROLES, worker.names)
        inputs = [tp for tp in worker.engine.assigned if tp[0] in mine]
        ends = await worker.log.end_offsets(inputs)
        begins = await worker.log.committed(worker.names.group, inputs)
        read = worker.campaigns.work.frontier.positions
        for tp, end in ends.items():
            if max(read.get(tp, 0), begins[tp] or 0) < end:
                busy.append(f"{tp[0]}/{tp[1]} up to {end}")
        commits = {}
        for number, shard in self._shards().items():
            ledger = shard.ledger
            due = ledger.next_due()
            if not ledger.settled:
                busy.append(f"shard {number} has something to send")
            if due is not None and due <= at_ms:
                busy.append(f"shard {number} at {due}")
            commits[str(number)] = [ledger.changelog.epoch, ledger.marker.sequence]
        return {"busy": busy, "commits": commits}

    async def commits(self) -> int:
        """How many commits this process has made."""
        return sum(shard.commits for shard in self._shards().values())

    async def figures(self, day: str) -> dict[str, Any]:
        """`campaigns` of the shards here by id as the API shows them, and the `tabs` of each."""
        worker = self._worker()
        now_ms = worker.clock.now_ms()
        campaigns: dict[str, Any] = {}
        found = {}
        for number, shard in self._shards().items():
            book = shard.ledger.view()
            found[str(number)] = tabs(book, day)
            for ident in campaigns_of_day(book, day):
                campaigns[ident] = campaign_json(book, ident, day, now_ms, worker.campaigns.flows)
        return {"campaigns": campaigns, "tabs": found}

    async def verify(self, day: str) -> int:
        """Raises Invariant, or tells of a count that is not that of its FDDs; how many FDDs."""
        counted = 0
        for shard in self._shards().values():
            book = shard.ledger.view()
            for row_key, raw in book.scan(b"c/", limit=10_000):
                ident = decode(Campaign, raw).request_id
                assert row_key == key("c", ident)
                check(book, ident, day)
                kept = slots_of(book, decode(Campaign, raw), day)
                anew = recount(book, ident, day)
                if anew != kept:
                    raise OSError(f"{ident} {day}: kept {kept}, counted {anew}")
                counted += sum(each.created for each in anew.values())
                await asyncio.sleep(0)
        return counted


if __name__ == "__main__":
    sys.exit(asyncio.run(main(CampaignAnswers)))
