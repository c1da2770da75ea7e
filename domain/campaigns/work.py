"""One transaction of the rules: the rows that many FDDs share, decoded once and written once.

An FDD's own row goes to the book at once. Campaign, counts, channels and the rest are cached here
and written by `close`, together with the figures of the tabs, which follow from the counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from msgspec.structs import replace

from domain.aggregation.instants import print_instant
from domain.campaigns import days
from domain.campaigns.book import Book
from domain.campaigns.document import Flow, Flows
from domain.campaigns.keys import DO_NOT_CALL_COUNT, Ref, key
from domain.campaigns.rows import (
    NO_SLOT,
    PENDING,
    Campaign,
    Channels,
    Counts,
    Executions,
    Job,
    OnDay,
    Tabs,
    Window,
    decode,
    encode,
)
from domain.errors import SluiceError

T = TypeVar("T")
_NO_COUNTS = encode(Counts())
shown_instant = lru_cache(65536)(print_instant)


class Invariant(SluiceError):
    """Figures or states that can't be: the shard stops and goes no further with them."""

    def __init__(self, where: str, detail: str) -> None:
        self.where = where
        super().__init__(
            f"campaign {where}: {detail}; nothing was written. Stop the workers, keep the data "
            "directory, run `sluice campaigns recount` and report it"
        )


def read(book: Book, row_key: bytes, kind: type[T]) -> T | None:
    """The row of that key."""
    raw = book.get(row_key)
    return None if raw is None else decode(kind, raw)


def pending_of(counts: Counts) -> int:
    """FDDs that are in progress."""
    states = counts.states
    return sum(states.get(state, 0) for state in PENDING)


def window_of(campaign: Campaign, day: str, slot: str, revision: int) -> Window | None:
    """The window of a day, slot and revision."""
    for each in campaign.windows:
        if each.day == day and each.slot == slot and each.revision == revision:
            return each
    return None


class Place:
    """What all FDDs of a slot share, as it is shown. window: None without slots."""

    __slots__ = ("date", "end", "slot", "start", "window")

    def __init__(self, day: str, slot: str, window: Window | None) -> None:
        self.window = window
        self.date = days.day_text(day)
        self.slot = days.slot_shown(slot)
        self.start = None if window is None else shown_instant(window.start_ms)
        self.end = None if window is None else shown_instant(window.end_ms)


class Work:
    """What one transaction has at hand. now_ms: its time."""

    def __init__(self, book: Book, now_ms: int, flows: Flows) -> None:
        self.book = book
        self.now_ms = now_ms
        self.flows = flows
        self._campaigns: dict[str, Campaign] = {}
        self._before: dict[str, bytes] = {}  # request -> its row as it was read
        # (request, day, slot) -> counts; and the row, pending and created as they were read
        self._counts: dict[tuple[str, str, str], tuple[Counts, bytes, int, int]] = {}
        self._tabs: dict[tuple[str, str], Tabs] = {}  # by day and zone
        self._channels: dict[str, Channels] = {}
        self._executions: dict[str, Executions] = {}
        self._wakes: set[tuple[int, bytes]] = set()
        self._places: dict[tuple[str, str, str, int], Place] = {}
        self._do_not_call: int | None = None

    # Rows

    def campaign(self, request_id: str) -> Campaign | None:
        """The campaign; what is changed in it is written at the end."""
        found = self._campaigns.get(request_id)
        if found is None:
            raw = self.book.get(key("c", request_id))
            if raw is None:
                return None
            found = self._campaigns[request_id] = decode(Campaign, raw)
            self._before[request_id] = raw
        return found

    def add_campaign(self, campaign: Campaign) -> None:
        self._campaigns[campaign.request_id] = campaign

    def counts(self, request_id: str, day: str, slot: str) -> Counts:
        """The figures of a day and slot, to be changed."""
        place = (request_id, day, slot)
        found = self._counts.get(place)
        if found is None:
            raw = self.book.get(key("z", *place)) or b""
            counts = decode(Counts, raw) if raw else Counts()
            found = self._counts[place] = (counts, raw, pending_of(counts), counts.created)
        return found[0]

    def tabs(self, campaign: Campaign, day: str) -> Tabs:
        """The figures of the tabs of a day in the campaign's zone, to be changed."""
        place = (day, campaign.flow.timezone)
        found = self._tabs.get(place)
        if found is None:
            found = self._tabs[place] = read(self.book, key("s", *place), Tabs) or Tabs()
        return found

    def channels(self, flow: str) -> Channels:
        """What the flow has under way, to be changed."""
        found = self._channels.get(flow)
        if found is None:
            found = read(self.book, key("h", flow), Channels) or Channels()
            self._channels[flow] = found
        return found

    def executions(self, flow: str) -> Executions:
        """The flow's last executions, to be changed."""
        found = self._executions.get(flow)
        if found is None:
            found = read(self.book, key("e", flow), Executions) or Executions()
            self._executions[flow] = found
        return found

    def place(self, campaign: Campaign, place: tuple[str, str, str, int]) -> Place:
        """What the FDDs of a slot share; `place` is a Ref's."""
        found = self._places.get(place)
        if found is None:
            window = window_of(campaign, *place[1:])
            if window is None and place[2] != NO_SLOT:
                raise Invariant(campaign.request_id, f"no window {place[1:]}")
            found = self._places[place] = Place(place[1], place[2], window)
        return found

    def window(self, campaign: Campaign, ref: Ref) -> Window | None:
        """The instants of an FDD's slot; None without slots."""
        return self.place(campaign, ref.place).window

    def flow(self, campaign: Campaign) -> Flow:
        """The flow in force; the one of the upload when it was removed since. Without channels
        while it is halted.
        """
        name = campaign.flow.name
        found = self.flows(name) or campaign.flow
        return replace(found, channels=0) if self.flows.halted(name) else found

    def has_do_not_call(self) -> bool:
        """Whether the do-not-call list has any number: spares a look-up an FDD."""
        if self._do_not_call is None:
            self._do_not_call = read(self.book, DO_NOT_CALL_COUNT, int) or 0
        return self._do_not_call > 0

    def add_do_not_call(self, count: int) -> None:
        self.has_do_not_call()
        self._do_not_call = (self._do_not_call or 0) + count
        self.book.put(DO_NOT_CALL_COUNT, encode(self._do_not_call))

    # Effects

    def wake(self, at_ms: int, row_key: bytes) -> None:
        """`due` at that time, or now if it is past; once a transaction."""
        self._wakes.add((max(at_ms, self.now_ms), row_key))

    def wake_dispatch(self, campaign: Campaign, at_ms: int = 0) -> None:
        self.wake(at_ms, key("w", campaign.flow.name))

    def put_job(self, job_id: bytes, job: Job, at_ms: int | None = 0) -> None:
        """Keeps the job; its next page is at `at_ms` (None: when somebody wakes it)."""
        self.book.put(job_id, encode(job))
        if at_ms is not None:
            self.wake(at_ms, job_id)

    def count_on(self, campaign: Campaign, day: str) -> None:
        """From now on the campaign's rows are in the tabs of that day."""
        if day not in campaign.counted_on:
            campaign.counted_on.append(day)
            found = OnDay(campaign.created_ms, campaign.name, campaign.flow.timezone)
            self.book.put(key("o", day, campaign.request_id), encode(found))
            self.tabs(campaign, day).uploaded += campaign.accepted + campaign.rejected

    def close(self) -> None:
        """Writes what is cached."""
        put = self.book.put
        for (request_id, day, slot), (counts, before, pending, created) in self._counts.items():
            raw = encode(counts)
            if raw == (before or _NO_COUNTS):
                continue
            put(key("z", request_id, day, slot), raw)
            pending_more = pending_of(counts) - pending
            attempted_more = counts.created - created - pending_more
            campaign = self.campaign(request_id)
            if campaign is not None and (pending_more or attempted_more):
                tabs = self.tabs(campaign, day)
                tabs.pending += pending_more
                tabs.attempted += attempted_more
        for place, tabs in self._tabs.items():
            put(key("s", *place), encode(tabs))
        for flow, channels in self._channels.items():
            if channels.busy < 0 or channels.asking < 0:
                used = f"{channels.busy} channels are busy and {channels.asking} kept"
                raise Invariant(flow, used)
            put(key("h", flow), encode(channels))
        for flow, executions in self._executions.items():
            put(key("e", flow), encode(executions))
        for request_id, campaign in self._campaigns.items():
            raw = encode(campaign)
            if raw != self._before.get(request_id):
                put(key("c", request_id), raw)
                self.book.store("campaigns", request_id, described(campaign))
        for at_ms, row_key in sorted(self._wakes):
            self.book.wake(at_ms, row_key)


def described(campaign: Campaign) -> dict[str, Any]:
    """The campaign as the store of documents has it: what it is, without figures."""
    return {
        "request_id": campaign.request_id,
        "name": campaign.name,
        "flow": campaign.flow.name,
        "timezone": campaign.flow.timezone,
        "slots": [days.slot_text(slot) for slot in campaign.slots],
        "start_date": days.day_text(campaign.start_day),
        "last_date": days.day_text(campaign.last_day),
        "duplicates_policy": campaign.duplicate_policy,
        "file": campaign.file,
        "digest": campaign.digest,
        "columns": list(campaign.columns),
        "actor": campaign.actor,
        "created_at": print_instant(campaign.created_ms),
        "revision": campaign.revision,
        "accepted": campaign.accepted,
        "rejected": campaign.rejected,
        "duplicates": campaign.duplicates,
        "processed": campaign.processed_ms is not None,
        "revoked": campaign.revoked,
        "paused": campaign.paused,
        "rescheduled": campaign.rescheduled,
        "retriggered": campaign.retriggered,
        "days": [
            {"day": days.day_text(each.day), "state": each.state, "slots": each.slots}
            for each in campaign.days
        ],
        "negatives": _figures(campaign),
    }


def _figures(campaign: Campaign) -> dict[str, int]:
    found = campaign.negatives
    return {
        "rows": found.rows,
        "matched": found.matched,
        "unknown": found.unknown,
        "invalid": found.invalid,
        "distinct": found.distinct,
    }
