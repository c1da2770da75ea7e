"""The life of campaigns, day by day and hour by hour, and what must hold in every hour of it.

Three flows: one with reattempts and room for all (a campaign for the whole time, and one that is
revoked in the middle of a slot), and one with so few channels that FDDs stay out of their slot.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.documents.registry import load_document
from domain.campaigns.document import Flow, flow_json
from tests.faults.campaign_cluster import CampaignCluster

ZONE = ZoneInfo("Asia/Kolkata")
FIRST_DAY = date(2025, 11, 3)
SLOTS = ("09:00-11:00", "12:00-14:00", "16:00-18:00")
REPEATED = ("BUSY", "NO_ANSWER")
ROWS_A_RECORD = 500
MINUTES = (0, 20, 40)  # of an hour with a slot


def flow(name: str, channels: int, **more: Any) -> dict[str, Any]:
    """A flow that works from nine to nine, every day."""
    outcomes = {"COMPLETED": 0.6, "PARTIAL_COMPLETE": 0.1, "FAILED:BUSY": 0.2,
                "FAILED:NO_ANSWER": 0.05, "FAILED:REJECTED": 0.05}  # fmt: skip
    return {
        "kind": "flow", "name": name, "timezone": "Asia/Kolkata", "country": "IN",
        "working_time": {"start": "09:00", "end": "21:00",
                         "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "channels": channels, "lease": {"seconds": 120}, "max_slots_per_day": 3, "max_days": 30,
        "executor": "simulated",
        "simulated": {"seed": 7, "outcomes": outcomes, "seconds": [5, 60]}, **more,
    }  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How much. `every_hour`: else only hours in which something happens."""

    rows: int
    days: int
    every_hour: bool = True

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The flows."""
        again = {"max": 3, "after": {"minutes": 10}, "on": list(REPEATED)}
        wide = flow("wide", max(20, self.rows), reattempts=again)
        return [wide, flow("narrow", max(2, self.rows // 50))]


@dataclass
class Told:
    """A campaign and what was told of it: numbers that are negative by the end of a day's slot."""

    request_id: str
    rows: int
    first: int
    slots: tuple[str, ...]
    days: int
    negative: dict[str, int] = field(default_factory=dict)  # number -> since (epoch ms)
    revoked: bool = False

    def number(self, n: int) -> str:
        """The number of the n-th row."""
        return f"+9198{self.first + n:08}"


class Life:
    """See the module. `history` has the figures of each evening, `ended` those of each day when all
    is over; two lives of one plan have the same."""

    def __init__(self, cluster: CampaignCluster, plan: Plan) -> None:
        self.cluster, self.plan = cluster, plan
        few = max(10, plan.rows // 10)
        self.long = Told("wide-0000000000000001", plan.rows, 0, SLOTS, plan.days)
        self.cut = Told("wide-0000000000000002", few, 1_000_000, SLOTS[:2], plan.days)
        self.tight = Told("narrow-0000000000000003", few, 2_000_000, SLOTS[1:2], plan.days)
        self.all = (self.long, self.cut, self.tight)
        self.history: list[Any] = []
        self.ended: dict[str, Any] = {}
        self.looks = 0
        self._next_negative = 0

    @property
    def begin(self) -> datetime:
        """When the first worker starts."""
        return instant(FIRST_DAY, 7, 0)

    def live(self) -> None:
        """From the upload to the day after the last, when what was tried again has ended."""
        for n in range(self.plan.days + 1):
            day = FIRST_DAY + timedelta(days=n)
            for hour, minute in self._moments(n):
                self.cluster.settle_at(instant(day, hour, minute))
                self._happens(n, day, hour, minute)
                if minute == 0:
                    self.look(day)
            self._evening(n, day)
        for n in range(self.plan.days + 1):
            day = FIRST_DAY + timedelta(days=n)
            self.ended[str(day)] = self.cluster.figures(f"{day:%Y%m%d}")["campaigns"]

    def _moments(self, n: int) -> Iterator[tuple[int, int]]:
        last = n == self.plan.days
        for hour in range(7 if n == 0 else 0, 12 if last else 24):
            in_slot = 9 <= hour < 18
            if in_slot or self.plan.every_hour or hour in (0, 7, 8, 20, 21):
                for minute in MINUTES if in_slot else (0,):
                    yield hour, minute

    def _happens(self, n: int, day: date, hour: int, minute: int) -> None:
        at = (hour, minute)
        if n == self.plan.days:
            return
        if n == 0 and at == (7, 0):
            for told in self.all:
                self._upload(told)
        elif at == (8, 0) and n % 3 == 1:
            self._negatives(self.long, 5)
        elif at == (12, 20) and n % 2 == 0:
            self._negatives(self.long, 5)
            self._negatives(self.tight, 2)
        elif at == (12, 0) and n == self.plan.days // 2:
            self.cluster.tell(self.cut.request_id, "revoke", {})
            self.cut.revoked = True
        elif at in ((16, 0), (16, 40)) and n == 1:
            self.cluster.tell(self.long.request_id, "pause" if at[1] == 0 else "resume", {})
        elif at == (20, 0) and n % 4 == 0:
            which = {"day": str(day), "failed": ["OUT_OF_SLOT", "BUSY"]}
            self.cluster.tell(self.long.request_id, "retrigger", which)
            self.cluster.tell(self.tight.request_id, "retrigger", which)
        else:
            return
        self.cluster.wait_quiet()

    def _upload(self, told: Told) -> None:
        name = told.request_id.rpartition("-")[0]
        document = next(each for each in self.plan.documents if each["name"] == name)
        loaded = load_document(document)
        assert isinstance(loaded, Flow)
        description = {"flow": name, "name": "dues", "slots": list(told.slots), "days": told.days}
        body: dict[str, Any] = {"description": description, "flow": flow_json(loaded)}
        tell = self.cluster.tell
        tell(told.request_id, "upload", {**body, "now_ms": self.cluster.at_ms})
        for first in range(0, told.rows, ROWS_A_RECORD):
            last = min(first + ROWS_A_RECORD, told.rows)
            rows = [[told.number(n), {"n": str(n)}, None] for n in range(first, last)]
            tell(told.request_id, "rows", {"first": first + 1, "rows": rows})
        tell(told.request_id, "rows_end", {"accepted": told.rows})

    def _negatives(self, told: Told, count: int) -> None:
        begin = self._next_negative
        self._next_negative += count
        numbers = [told.number(n % told.rows) for n in range(begin, begin + count)]
        self.cluster.tell(told.request_id, "negatives", {"rows": numbers, "filename": "n.csv"})
        for number in numbers:
            told.negative.setdefault(number, self.cluster.at_ms)

    # What must hold

    def look(self, day: date) -> None:
        """The invariants of the figures, as they are shown in this hour."""
        told = self.cluster.figures(f"{day:%Y%m%d}")
        self.looks += 1
        for shown in told["campaigns"].values():
            check_figures(shown)
        shown_all = [each["counts"] for each in told["campaigns"].values()]
        for name in ("uploaded", "attempted", "pending"):
            assert told["tabs"][name] == sum(each[name] for each in shown_all), (day, name, told)

    def _evening(self, n: int, day: date) -> None:
        name = f"{day:%Y%m%d}"
        figures = self.cluster.figures(name)["campaigns"]
        counted = self.cluster.verify(name)
        assert counted == sum(each["counts"]["created"] for each in figures.values())
        for told in self.all:
            if n < self.plan.days and not told.revoked:
                self._check_made(told, day, figures[told.request_id]["counts"])
        self.history.append([str(day), figures])

    def _check_made(self, told: Told, day: date, counts: dict[str, Any]) -> None:
        """Every row that was not negative when the day began has its FDDs, and no other."""
        midnight_ms = int(instant(day, 0, 0).timestamp() * 1000)
        before = sum(1 for since in told.negative.values() if since < midnight_ms)
        slots = len(told.slots)
        assert counts["created"] == slots * (told.rows - before), (told.request_id, day, counts)
        assert counts["not_created"]["negative"] == slots * before


def check_figures(shown: dict[str, Any]) -> None:
    """The invariants of campaigns.md, section 7, of one campaign and day."""
    counts, where = shown["counts"], (shown["request_id"], shown["day"], shown["counts"])
    outcome = counts["outcome"]
    of_outcome = sum(outcome[name] for name in ("completed", "partial", "negative", "revoked"))
    assert counts["attempted"] + counts["pending"] == counts["created"], where
    assert counts["attempted"] == of_outcome + sum(outcome["failed"].values()), where
    state = next((d["state"] for d in shown["days_list"] if d["day"] == shown["day"]), "")
    if state == "created" and not shown["flags"]["processing"]:
        slots = len(shown["scheduled_timestamp"])
        made = counts["created"] + sum(counts["not_created"].values())
        assert made == shown["upload"]["accepted"] * slots, where
    for name in ("created", "attempted", "pending", "reached", "yet_to_process"):
        assert counts[name] == sum(each["counts"][name] for each in shown["by_slot"]), where


def instant(day: date, hour: int, minute: int) -> datetime:
    """A wall time of the flows."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).astimezone(UTC)
