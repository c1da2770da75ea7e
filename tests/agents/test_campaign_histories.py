"""Whatever is killed and wherever: no FDD twice, none lost, no order with two contents, and counts
are those of a recount."""

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.campaign_world import CampaignWorld
from tests.agents.toy import FLOWS
from tests.agents.world import START_MS, Disk

step = st.one_of(
    st.tuples(st.just("make"), st.integers(0, 1), st.sampled_from(FLOWS), st.integers(1, 8)),
    st.tuples(st.just("work"), st.integers(1, 5), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("work"), st.integers(1, 5), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("results"), st.integers(0, 1)),
    st.tuples(st.just("refused"), st.integers(0, 1)),
    st.tuples(st.just("retrigger"), st.integers(0, 1), st.sampled_from(FLOWS)),
    st.tuples(st.just("advance"), st.integers(1, 20_000)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("kill"), st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(0, 9), st.sampled_from(["changelog", "-in", "ions"])),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
    st.tuples(st.just("old disk"), st.integers(0, 1)),
)


class Story:
    """A world, and what was asked of it."""

    def __init__(self) -> None:
        self.world = CampaignWorld()
        self.made: dict[str, int] = {}
        self.retriggers: Counter[str] = Counter()
        self.refused = 0
        self._answered: set[str] = set()
        self._backups: dict[int, dict[bytes, bytes]] = {}

    def play(self, history: list[Any]) -> None:
        world = self.world
        for event in history:
            match event:
                case ("make", partition, flow, count):
                    request = f"{flow}-{len(self.made):016x}"
                    self.made[request] = count
                    body = {"count": count, "end_ms": START_MS + 30_000}
                    self._command(partition, command="make", request_id=request, body=body)
                case ("retrigger", partition, flow):
                    request = f"{flow}-{0:016x}"
                    self.retriggers[request] += 1
                    self._command(partition, command="retrigger", request_id=request)
                case ("refused", partition):
                    self.refused += 2
                    self._command(partition, command="nothing", request_id="f-0")
                    world.run(world.produce("campaign-events", partition, b"{"))
                case ("results", partition):
                    self.answer(partition)
                case ("work", batch, commit, only):
                    world.run(world.work(batch, commit, None if only == 8 else only))
                case ("advance", by):
                    world.clock.advance(by)
                case ("tick",):
                    world.run(world.tick())
                case ("kill", at, passes):
                    world.kill_on, world.passes = at, passes
                case ("cut", left, where):
                    world.cut(left, [where])
                case ("lose disk", number):
                    world.disks.pop(number, None)
                case ("old disk", number):
                    if number in self._backups and number in world.disks:
                        world.disks[number] = Disk()
                        world.disks[number].write(self._backups[number].items())
                    self._backups = {n: dict(disk._rows) for n, disk in world.disks.items()}

    def _command(self, partition: int, **event: Any) -> None:
        world = self.world
        world.run(world.produce("campaign-events", partition, {"kind": "command", **event}))

    def answer(self, partition: int) -> None:
        """Every order that is out has a result, most of them twice."""
        world = self.world
        orders = {order["execution_id"] for order in world.outputs("executions")}
        results = [{"execution_id": i} for i in sorted(orders - self._answered)]
        self._answered |= orders
        world.run(world.produce("execution-results", partition, *results, *results[1:]))

    def check(self) -> None:
        world = self.world
        world.settle()
        rows = world.rows()
        states: dict[str, Counter[str]] = {request: Counter() for request in self.made}
        for key, value in rows.items():
            if key.startswith(b"f/"):
                states[key.decode()[2:].partition(".")[0]][value.decode()] += 1
        assert {request: sum(found.values()) for request, found in states.items()} == self.made
        for request, found in states.items():
            ordered = found["LEASED"] + found["COMPLETED"]
            wanted = {"made": self.made[request], "ordered": ordered}
            wanted |= {"completed": found["COMPLETED"], "failed": found["FAILED"]}
            for name, number in wanted.items():
                assert int(rows.get(f"z/{request}/{name}".encode(), b"0")) == number, name
        orders: dict[str, Any] = {}
        for order in world.outputs("executions"):
            assert orders.setdefault(order["execution_id"], order) == order
        leased = {k[2:] + b".1" for k, v in rows.items() if v in (b"LEASED", b"COMPLETED")}
        assert {name.encode() for name in orders} == leased
        failed = {each["fdd_id"].encode() for each in world.outputs("slot-failures")}
        assert failed == {k[2:] for k, v in rows.items() if v == b"FAILED"}
        stored = {k[1]: json.loads(v[1] or b"") for k, v in world.stored.items() if k[0] == "fdds"}
        assert {name.encode(): each["state"].encode() for name, each in stored.items()} == {
            key[2:]: value for key, value in rows.items() if key.startswith(b"f/")
        }
        for request, number in self.retriggers.items():
            assert int(rows[f"z/{request}/retriggers".encode()]) == number
        assert len({letter["id"] for letter in world.outputs("dead-letters")}) == self.refused
        assert b"half/done" not in rows


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(step, max_size=25))
def test_every_fdd_is_made_once_and_ends_once(history: list[Any]) -> None:
    story = Story()
    story.play(history)
    story.check()
    story.world.disks.clear()
    story.check()


def test_a_campaign_with_all_its_results_is_completed() -> None:
    story = Story()
    story.play([("make", 0, "f", 8), ("make", 1, "f", 5), ("make", 1, "g", 3)])
    for _ in range(12):
        story.world.settle()
        story.answer(0)
    story.check()
    rows = story.world.rows()
    assert [v for k, v in rows.items() if k.startswith(b"f/")] == [b"COMPLETED"] * 16


def test_what_has_become_due_happens_in_the_order_of_due_times() -> None:
    """The slot's end lies between the making and the result, all of them in the past."""
    story = Story()
    story.play([("make", 0, "f", 8), ("advance", 29_000)])
    story.world.run(story.world.work(10, commit=True))
    story.world.run(story.world.work(10, commit=True))
    story.play([("advance", 100_000), ("tick",)])
    story.check()
    assert len(story.world.outputs("slot-failures")) + len(story.world.outputs("executions")) == 8
