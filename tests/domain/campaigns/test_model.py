"""Campaigns in any order of what may happen: states move along their arrows, figures are right.

The arrows are those of the contract, written down once more here and compared with every change of
every FDD; after each step all figures are counted anew.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.campaigns.book import Collection, MemoryBook
from domain.campaigns.document import Reattempts, WorkingTime
from domain.errors import Reject
from tests.domain.campaigns.kit import Shard, flow, number, prove

PENDING = {"CREATED", "QUEUED", "LEASED", "STARTED", "REATTEMPT_SCHEDULED"}
END = {"COMPLETED", "PARTIAL_COMPLETE", "FAILED"}
# Within one transaction an FDD may take several arrows: a result of an order that never said
# "started", a look at the queue that orders at once. (from, to) of what can be seen, as allowed.
SEEN: dict[str, set[str]] = {
    "CREATED": {"QUEUED", "LEASED", "NEGATIVE", "REVOKED", "FAILED"},
    "QUEUED": {"QUEUED", "LEASED", "NEGATIVE", "REVOKED", "FAILED"},
    "LEASED": {"STARTED", "NEGATIVE", "REVOKED", "REATTEMPT_SCHEDULED", *END},
    "STARTED": {"REATTEMPT_SCHEDULED", *END},
    "REATTEMPT_SCHEDULED": {"LEASED", "FAILED", "PARTIAL_COMPLETE", "NEGATIVE", "REVOKED", "QUEUED"},
    "PARTIAL_COMPLETE": {"QUEUED"},
    "FAILED": {"QUEUED", "REATTEMPT_SCHEDULED", *END},
    "COMPLETED": set(),
    "NEGATIVE": set(),
    "REVOKED": set(),
}  # fmt: skip
FIRST = {"CREATED", "QUEUED", "NEGATIVE"}


class WatchedBook(MemoryBook):
    """Compares each FDD that is stored with what it was."""

    def store(self, what: Collection, id: str, value: dict[str, Any] | None) -> None:
        if what == "fdds" and value is not None:
            before = self.stored.get("fdds", {}).get(id)
            state, reason = value["state"], value["reason"]
            if before is None:
                assert state in FIRST, f"{id} begins {state}"
            elif (before["state"], before["reason"]) != (state, reason):
                self._arrow(before, value)
        super().store(what, id, value)

    def _arrow(self, before: dict[str, Any], value: dict[str, Any]) -> None:
        was, state, reason = before["state"], value["state"], value["reason"]
        assert state in SEEN[was], f"{value['id']}: {was} {before['reason']} to {state} {reason}"
        if was in ("CREATED", "QUEUED") and state == "FAILED":
            assert reason == "OUT_OF_SLOT"
        if was == "REATTEMPT_SCHEDULED" and state == "FAILED":
            assert reason not in ("OUT_OF_SLOT", "NO_ACK", "NO_RESULT")
        if was == "FAILED" and state != "QUEUED":
            assert before["reason"] in ("NO_ACK", "NO_RESULT")
            assert reason not in ("NO_ACK", "NO_RESULT", "OUT_OF_SLOT")
        if was == "FAILED" and state == "QUEUED":
            assert value["retriggered"]
        attempts = [each for each in value["attempts"] if each["execution_id"]]
        assert len({each["execution_id"] for each in attempts}) == len(attempts)


numbers = st.integers(0, 12)
SLOTS = ["09:00-10:00", "10:00-12:00", "12:00-13:30", "16:00-18:00", "20:00-21:00"]


class Campaigns(RuleBasedStateMachine):
    """Two campaigns of one flow, and everything that can happen to them."""

    @initialize(
        channels=st.integers(1, 6),
        most=st.integers(1, 3),
        hour=st.sampled_from(["08:00", "10:30", "17:59", "22:00"]),
        monday_off=st.booleans(),
    )
    def begin(self, channels: int, most: int, hour: str, monday_off: bool) -> None:
        off = (1,) if monday_off else ()
        made = flow(
            channels=channels,
            lease_ms=600_000,
            result_ms=1_800_000,
            reattempts=Reattempts(most, 900_000, ("BUSY", "PARTIAL_COMPLETE")),
            working_time=WorkingTime(540, 1260, tuple(d for d in range(7) if d not in off)),
        )
        self.shard = Shard(made, now=f"2025-11-03 {hour}")
        self.shard.book = WatchedBook()
        self.requests: list[str] = []
        self.open: dict[str, int] = {}  # requests whose rows still come -> rows so far
        self.orders: list[dict[str, Any]] = []
        self.negative: set[tuple[str, str]] = set()
        self.ordered = 0

    def _request(self, index: int) -> str:
        return self.requests[index % len(self.requests)]

    @precondition(lambda self: len(self.requests) < 2)
    @rule(
        slots=st.lists(st.sampled_from(SLOTS), max_size=3, unique=True),
        days=st.integers(1, 3),
        policy=st.sampled_from(["allow", "first"]),
        wait=st.integers(-60, 3000),
    )
    def upload(self, slots: list[str], days: int, policy: str, wait: int) -> None:
        request = f"reminder-{len(self.requests):016x}"
        self.requests.append(request)
        self.open[request] = 0
        scheduled = not slots
        self.shard.upload(
            [number(i) for i in (0, 1, 2, 1)],
            tuple(slots),
            request,
            [self.shard.now_ms + wait * 60_000] * 4 if scheduled else None,
            end=False,
            days=days if slots else 1,
            duplicates=policy,
        )
        self.open[request] = 4

    @precondition(lambda self: bool(self.open))
    @rule(count=st.integers(1, 5), again=st.booleans())
    def more_rows(self, count: int, again: bool) -> None:
        request, known = next(iter(self.open.items()))
        first = 1 if again else known + 1
        rows = [[number(i), {}, None] for i in range(first - 1, known + count)]
        self.shard.command("rows", {"first": first, "rows": rows}, request)
        self.open[request] = known + count

    @precondition(lambda self: bool(self.open))
    @rule(rejected=st.integers(0, 3))
    def last_row(self, rejected: int) -> None:
        request = next(iter(self.open))
        del self.open[request]
        self.shard.command("rows_end", {"rejected": rejected}, request)

    @rule(minutes=st.sampled_from([1, 9, 10, 16, 30, 61, 180, 600, 1440, 2000]))
    def time_passes(self, minutes: int) -> None:
        self.shard.move(self.shard.now_ms + minutes * 60_000)

    @rule(minutes=st.sampled_from([5, 120, 800, 3000]))
    def nobody_works_for_a_while(self, minutes: int) -> None:
        self.shard.now_ms += minutes * 60_000
        self.shard.settle()

    def _take_orders(self) -> None:
        for order in self.shard.orders():
            fdd = self.shard.fdds()[order["fdd_id"]]
            assert (order["request_id"], order["number"]) not in self.negative
            assert order["execution_id"] not in {each["execution_id"] for each in self.orders}
            assert (
                fdd["retriggered"]
                or order["slot"] is None
                or (fdd["slot_start"] <= order["ordered_at"] < fdd["slot_end"])
            )
            self.orders.append(order)

    @precondition(lambda self: bool(self.orders))
    @rule(
        which=st.integers(0, 1000),
        event=st.sampled_from(["started", "finished"]),
        outcome=st.sampled_from(["COMPLETED", "PARTIAL_COMPLETE", "FAILED", "CANCELLED"]),
        reason=st.sampled_from([None, "BUSY", "WRONG", "NO_ACK"]),
        early=st.integers(0, 200),
        times=st.integers(1, 2),
    )
    def result(
        self, which: int, event: str, outcome: str, reason: str | None, early: int, times: int
    ) -> None:
        order = self.orders[-1 - which % min(len(self.orders), 12)]
        at_ms = self.shard.now_ms - early * 60_000
        for _ in range(times):
            if event == "started":
                self.shard.started(order, at_ms)
            else:
                self.shard.finished(order, outcome, reason, at_ms)

    @precondition(lambda self: bool(self.requests))
    @rule(which=st.integers(0, 1), picked=st.lists(numbers, max_size=4), dry=st.booleans())
    def negatives(self, which: int, picked: list[int], dry: bool) -> None:
        request = self._request(which)
        rows = [number(i) for i in picked] + ["nonsense"]
        before = dict(self.shard.fdds())
        answer = self.shard.command("negatives", {"rows": rows}, request, dry_run=dry)
        if answer["state"] == "done":
            found = answer["result"]
            assert found["matched"] + found["unknown"] + found["invalid"] == found["rows"]
            if not dry:
                self.negative |= {(request, number(i)) for i in picked}
        if dry:
            assert self.shard.fdds() == before

    @precondition(lambda self: bool(self.negative))
    @rule()
    def withdraw(self) -> None:
        request, picked = min(self.negative)
        answer = self.shard.command("withdraw", {"number": picked}, request)
        if answer["state"] == "done":
            self.negative.discard((request, picked))

    @rule(picked=st.lists(numbers, min_size=1, max_size=2), minutes=st.integers(1, 2000))
    def do_not_call(self, picked: list[int], minutes: int) -> None:
        expires = self.shard.now_ms + minutes * 60_000
        body = {"rows": [number(i) for i in picked], "country": "IN", "expires_ms": expires}
        self.shard.command("do_not_call", body, "")

    def _change(self, name: str, which: int, body: dict[str, Any]) -> None:
        """Asks twice: what the dry run says is what happens, and it changes nothing."""
        request = self._request(which)
        before = dict(self.shard.fdds())
        open_ = name in self.shard.show(request=request)["allowed_actions"]
        dry = self.shard.command(name, body, request, dry_run=True)
        assert self.shard.fdds() == before
        assert dry["state"] == "done" or not open_ or dry["status"] == 422
        if dry["state"] == "done":
            done = self.shard.command(name, body, request)
            assert done["state"] == "done"
            assert done["result"]["touched"] == dry["result"]["touched"]
            assert done["result"]["by"] == dry["result"]["by"]

    @precondition(lambda self: bool(self.requests))
    @rule(which=st.integers(0, 1), chance=st.integers(0, 5))
    def revoke(self, which: int, chance: int) -> None:
        if chance == 0:
            self._change("revoke", which, {})
            assert self.shard.show(request=self._request(which))["status"] == "Cancelled"

    @precondition(lambda self: bool(self.requests))
    @rule(
        which=st.integers(0, 1),
        slot=st.sampled_from([None, None, "09:00-21:00", "19:00-20:30"]),
        failed=st.lists(st.sampled_from(["OUT_OF_SLOT", "NO_ACK", "BUSY", "WRONG"]), unique=True),
    )
    def retrigger(self, which: int, slot: str | None, failed: list[str]) -> None:
        self._change("retrigger", which, {"slot": slot, "failed": failed})

    @precondition(lambda self: bool(self.requests))
    @rule(
        which=st.integers(0, 1),
        slots=st.lists(st.sampled_from(SLOTS), min_size=1, max_size=3, unique=True),
        days=st.sampled_from([None, 1, 2]),
    )
    def reschedule(self, which: int, slots: list[str], days: int | None) -> None:
        self._change("reschedule", which, {"slots": slots} | ({"days": days} if days else {}))

    @precondition(lambda self: bool(self.requests))
    @rule(which=st.integers(0, 1), name=st.sampled_from(["pause", "resume"]))
    def pause_or_resume(self, which: int, name: str) -> None:
        self.shard.command(name, {}, self._request(which))

    @rule(channels=st.integers(1, 8))
    def another_version_of_the_flow(self, channels: int) -> None:
        self.shard.change(flow(channels=channels, lease_ms=300_000))

    @rule(ident=st.sampled_from(["x", "reminder-0.20251103.1000_1200.1.1.7", ""]))
    def nonsense(self, ident: str) -> None:
        rows = dict(self.shard.book.rows)
        try:
            self.shard.apply({"kind": "result", "event": "started", "execution_id": ident})
        except Reject as refused:
            assert refused.reason == "unknown_execution"
        assert self.shard.book.rows == rows

    @invariant()
    def figures_are_right(self) -> None:
        if not hasattr(self, "shard"):
            return
        self._take_orders()
        prove(self.shard.book)
        for request in self.requests:
            shown = self.shard.show(request=request)
            counts = shown["counts"]
            outcome = counts["outcome"]
            ended = outcome["completed"] + outcome["partial"] + sum(outcome["failed"].values())
            assert ended + outcome["negative"] + outcome["revoked"] == counts["attempted"]
            assert counts["attempted"] + counts["pending"] == counts["created"]
            if shown["status"] == "Cancelled":
                assert shown["allowed_actions"] == []
            if shown["status"] == "Completed":
                states = {
                    each["state"]
                    for each in self.shard.fdds().values()
                    if each["request_id"] == request
                }
                assert not states & PENDING


TestCampaigns = Campaigns.TestCase
TestCampaigns.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
