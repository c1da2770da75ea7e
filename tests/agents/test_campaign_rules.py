"""The rules of campaigns through kills at every step: no FDD twice, none lost, no order with two
contents, nobody executed who was negative before, and figures that equal a recount.
"""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.campaign_route import shard_of
from agents.execute import RUN, Executing
from domain.aggregation.instants import print_instant
from domain.campaigns import machine
from domain.campaigns.check import slots_of
from domain.campaigns.document import FlowsOf, Simulated, flow_json
from domain.campaigns.keys import key, ref_of_key
from domain.campaigns.rows import Campaign, Fdd, decode
from domain.campaigns.work import read
from tests.agents.campaign_world import CampaignWorld
from tests.agents.world import Disk
from tests.domain.campaigns.kit import at, flow, number

TOPIC, DICE = "topical", "diced"
START = at("2025-11-03 09:58")
OUTCOMES = (("COMPLETED", None, 0.6), ("FAILED", "BUSY", 0.4))
FEW, PLENTY = 3, 20_000  # channels: with plenty of them a page is ordered as a whole


def flows_with(channels: int) -> FlowsOf:
    dice = Simulated(1, OUTCOMES, (5, 60))
    return FlowsOf(
        flow(name=TOPIC, channels=channels),
        flow(name=DICE, channels=channels, executor="simulated", simulated=dice),
    )


REQUESTS = (f"{TOPIC}-0011223344556677", f"{DICE}-8899aabbccddeeff")
ROWS = 7

step = st.one_of(
    st.tuples(st.just("work"), st.integers(1, 4), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("work"), st.integers(1, 4), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("advance"), st.sampled_from([1, 20, 120, 600, 3600])),
    st.tuples(st.just("advance"), st.sampled_from([1, 20, 120, 600, 3600])),
    st.tuples(st.just("results"), st.integers(0, 1), st.integers(0, 3)),
    st.tuples(st.just("negatives"), st.integers(0, 1), st.integers(0, ROWS - 1)),
    st.tuples(st.just("change"), st.sampled_from(["pause", "resume", "retrigger", "revoke"])),
    st.tuples(st.just("kill"), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("cut"), st.integers(0, 30), st.sampled_from(["changelog", "-in", "ions"])),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
)


class Story:
    """Two campaigns, one of which orders on the topic, and the other by the built-in executor."""

    def __init__(self, channels: int = FEW) -> None:
        flows = flows_with(channels)
        self.world = CampaignWorld(machine=Executing(machine), flows=flows)
        self.world.clock.advance(START - self.world.clock.now_ms())
        self.commands = 0
        self._answered: Counter[str] = Counter()
        for request in REQUESTS:
            name = request.partition("-")[0]
            found = flows(name)
            assert found is not None
            description = {"flow": name, "name": "dues", "slots": ["10:00-12:00"], "days": 2}
            body = {"description": description, "flow": flow_json(found), "now_ms": START}
            self.command("upload", request, body)
            rows = [[number(n), {"n": str(n)}, None] for n in range(ROWS)]
            self.command("rows", request, {"first": 1, "rows": rows[:4]})
            self.command("rows", request, {"first": 5, "rows": rows[4:]})
            self.command("rows_end", request, {"accepted": ROWS})

    def command(self, name: str, request: str, body: dict[str, Any]) -> None:
        self.commands += 1
        event: dict[str, Any] = {
            "kind": "command",
            "id": f"c{self.commands}",
            "command": name,
            "actor": "a",
        }
        event |= {"request_id": request, "body": body, "reason": "r"}
        world = self.world
        world.run(world.produce("campaign-events", shard_of(request, 2), event))

    def play(self, history: list[Any]) -> None:
        world = self.world
        for event in history:
            match event:
                case ("work", batch, commit, only):
                    world.run(world.work(batch, commit, None if only == 8 else only))
                case ("tick",):
                    world.run(world.tick())
                case ("advance", seconds):
                    world.clock.advance(seconds * 1000)
                case ("results", partition, which):
                    self.report(partition, which)
                case ("negatives", request, index):
                    body = {"upload_id": f"u{self.commands}", "rows": [number(index)]}
                    self.command("negatives", REQUESTS[request], body)
                case ("change", name):
                    for request in REQUESTS:
                        self.command(name, request, {})
                case ("kill", on, passes):
                    world.kill_on, world.passes = on, passes
                case ("cut", left, where):
                    world.cut(left, [where])
                case ("lose disk", n):
                    world.disks.pop(n, None)

    def report(self, partition: int, which: int) -> None:
        """The executor's next word on each order of the topic; `which` 0 repeats the last one."""
        told = []
        now = print_instant(self.world.clock.now_ms())
        for order in self.orders():
            if order["event"] != "execute" or order["flow"] != TOPIC:
                continue
            ident = order["execution_id"]
            self._answered[ident] += which > 0
            result = {name: order[name] for name in ("execution_id", "fdd_id", "request_id")}
            result |= {"event": "started", "number": order["number"], "at": now}
            if self._answered[ident] > 1:
                bad = hash_of(ident) % 3 == 0
                result |= {"event": "finished", "started_at": None}
                result |= {"outcome": "FAILED" if bad else "COMPLETED"}
                result |= {"reason": "BUSY" if bad else None}
            told.append(result)
        self.world.run(self.world.produce("execution-results", partition, *told))

    def orders(self) -> list[dict[str, Any]]:
        return self.world.outputs("executions")

    def end(self) -> None:
        """Both days go by, and what is due is done."""
        self.world.settle()
        for hours in (3, 10, 12, 12, 24):
            self.world.clock.advance(hours * 3_600_000)
            self.world.settle()

    def check(self) -> None:
        world = self.world
        rows = world.rows()
        fdds = {k: v for k, v in rows.items() if k.startswith(b"f/")}
        contents: dict[tuple[str, str], Any] = {}
        for order in self.orders():
            assert contents.setdefault((order["event"], order["execution_id"]), order) == order
        executed = {ident for event, ident in contents if event == "execute"}
        stored = {ident: json.loads(v[1] or b"") for (what, ident), v in world.stored.items()
                  if what == "fdds"}  # fmt: skip
        assert len(stored) == len(fdds)
        states = {ref_of_key(k).id: decode(Fdd, v).state for k, v in fdds.items()}
        assert {ident: told["state"] for ident, told in stored.items()} == states
        attempts = [each["execution_id"] for fdd in stored.values() for each in fdd["attempts"]]
        started = {each for each in attempts if each in executed}
        assert len(attempts) == len(set(attempts))
        assert started == set(attempts)
        for book in self.books():
            for request in REQUESTS:
                for day in ("20251103", "20251104"):
                    machine.check(book, request, day)
                    campaign = read(book, key("c", request), Campaign)
                    kept = {} if campaign is None else slots_of(book, campaign, day)
                    assert machine.recount(book, request, day) == kept
        assert not [key for key in rows if key.startswith(RUN)]
        letters = world.outputs("dead-letters")
        assert not letters, letters

    def books(self) -> list[Any]:
        async def collect() -> list[Any]:
            campaigns = await self.world.worker()
            return [one.ledger.view() for one in campaigns.shards.open_ones().values()]

        return self.world.run(collect()) or []


def hash_of(text: str) -> int:
    return sum(text.encode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(step, max_size=25), st.sampled_from([FEW, PLENTY]))
def test_whatever_is_killed_each_fdd_is_made_once_and_figures_are_exact(
    history: list[Any], channels: int
) -> None:
    story = Story(channels)
    story.play(history)
    story.end()
    story.check()


PLAIN = [("work", 9, True, 8), ("tick",), ("advance", 180), ("tick",), ("results", 0, 1)]
PLAIN += [("work", 9, True, 8), ("advance", 20), ("tick",), ("results", 1, 2)]
PLAIN += [("negatives", 0, 6), ("negatives", 1, 5), ("work", 9, True, 8), ("tick",)] * 2
PLAIN += [("advance", 3600), ("tick",), ("results", 0, 1), ("work", 9, True, 8), ("tick",)]


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("nth", range(0, 12, 2))
def test_a_kill_at_any_step_of_a_day_changes_no_figure(step: int, nth: int) -> None:
    channels = PLENTY if nth % 4 else FEW
    calm, killed = Story(channels), Story(channels)
    calm.play(PLAIN)
    killed.play([("kill", step, nth), *PLAIN])
    for story in (calm, killed):
        story.end()
        story.check()


def test_the_built_in_executor_reports_at_the_time_of_the_product() -> None:
    story = Story()
    story.play([("work", 9, True, 8), ("work", 9, True, 8), ("tick",), ("advance", 120), ("tick",)])
    story.play([("advance", 300), ("tick",)])
    told = [each for each in story.world.outputs("execution-results") if DICE in each["fdd_id"]]
    assert [each["at"] for each in told if each["event"] == "started"][:3] == [
        "2025-11-03T04:30:01.000Z"
    ] * 3
    finished = [each["at"] for each in told if each["event"] == "finished"]
    assert all("2025-11-03T04:30:06" <= at <= "2025-11-03T04:31:02" for at in finished[:3])


def test_a_lost_disk_in_the_middle_of_a_day_brings_back_every_row() -> None:
    story = Story()
    story.play(PLAIN[:9])
    before = story.world.rows()
    story.world.disks = {n: Disk() for n in story.world.disks}
    assert story.world.rows() == before
    story.end()
    story.check()
