"""What a campaign is said to be, and what may be done with it. Everything from counts and clock."""

from __future__ import annotations

from domain.campaigns import days
from domain.campaigns.document import Flow
from domain.campaigns.lifecycle import day_row, last_end_ms
from domain.campaigns.rows import Campaign, Counts

ACTIONS = ("negatives", "pause", "resume", "reschedule", "retrigger", "revoke")


def is_completed(campaign: Campaign, pending: int, now_ms: int) -> bool:
    """Whether its last slot is over and nothing is pending. pending: of all its days."""
    done = campaign.processed_ms is not None and pending == 0
    creating = any(each.state == "creating" for each in campaign.days)
    return done and not creating and now_ms >= last_end_ms(campaign)


def status(campaign: Campaign, pending: int, now_ms: int) -> str:
    """The status shown: the first that holds."""
    if campaign.revoked:
        return "Cancelled"
    if is_completed(campaign, pending, now_ms):
        return "Completed"
    if campaign.negatives.rows > campaign.negatives.invalid:
        return "Negative upload"
    return "Rescheduled" if campaign.rescheduled else "Scheduled"


def is_running(counts: list[Counts]) -> bool:
    """Whether anything is in the queue or with an executor."""
    active = ("QUEUED", "LEASED", "STARTED", "REATTEMPT_SCHEDULED")
    return any(each.states.get(state) for each in counts for state in active)


def opens_ms(campaign: Campaign, flow: Flow, day: str, now_ms: int) -> int:
    """From when a day may be retriggered."""
    zone = campaign.flow.timezone
    row = day_row(campaign, day)
    if row is not None and row.last_end_ms:
        base_ms = row.last_end_ms
    elif campaign.slots:
        base_ms = max(days.instant(zone, day, slot[1], True) for slot in campaign.slots)
    else:
        base_ms = days.working_window(flow, day, zone)[1]
    ended_ms = campaign.processed_ms
    if (now_ms if ended_ms is None else ended_ms) <= base_ms:
        return base_ms
    ended_ms = now_ms if ended_ms is None else ended_ms
    after = days.day_after(days.day_of(zone, ended_ms))
    return days.working_at(flow, zone, days.instant(zone, after, 0))[1]


def first_to_come(campaign: Campaign) -> str:
    """The first of the days that may still be made, up to the last one. A day before it without a
    row of its own was between two schedules, and is none of the campaign's.
    """
    return max(campaign.start_day, campaign.next_day)


def has_day(campaign: Campaign, day: str) -> bool:
    """Whether the day is, was or can still become one of the campaign's."""
    if day_row(campaign, day) is not None:
        return True
    if campaign.slots:
        return first_to_come(campaign) <= day <= campaign.last_day
    # rows bring days of their own
    return campaign.start_day <= day <= campaign.last_day or campaign.processed_ms is None


def retrigger_open(campaign: Campaign, flow: Flow, day: str, now_ms: int) -> bool:
    """Whether the day may be retriggered now."""
    return (
        has_day(campaign, day)
        and campaign.processed_ms is not None
        and now_ms >= opens_ms(campaign, flow, day, now_ms)
    )


def may_reschedule(campaign: Campaign) -> bool:
    """Whether a new schedule would be taken: not without slots, nor while FDDs are made."""
    making = any(each.state == "creating" for each in campaign.days)
    return bool(campaign.slots) and campaign.processed_ms is not None and not making


def allowed_actions(
    campaign: Campaign, flow: Flow, day: str, pending: int, now_ms: int
) -> list[str]:
    """The actions that would be taken now, in the order of the vocabulary."""
    if campaign.revoked:
        return []
    open_ = {
        "negatives": True,
        "pause": not campaign.paused and not is_completed(campaign, pending, now_ms),
        "resume": campaign.paused,
        "reschedule": may_reschedule(campaign),
        "retrigger": retrigger_open(campaign, flow, day, now_ms),
        "revoke": True,
    }
    return [action for action in ACTIONS if open_[action]]
