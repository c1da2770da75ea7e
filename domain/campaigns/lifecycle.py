"""The days of a campaign: which are made, when, and what each sets going."""

from __future__ import annotations

from domain.campaigns import alerts, days
from domain.campaigns.keys import key
from domain.campaigns.rows import NO_SLOT, Campaign, Day, Job, Window
from domain.campaigns.work import Work


def create_job(request_id: str, day: str) -> bytes:
    return key("j", "create", request_id, day)


def feed_job(request_id: str, window: Window) -> bytes:
    return key("j", "feed", request_id, window.day, window.slot, str(window.revision))


def end_job(request_id: str, window: Window) -> bytes:
    return key("j", "end", request_id, window.day, window.slot, str(window.revision))


def start_days(work: Work, campaign: Campaign) -> None:
    """Makes the day that has come, and records those that nobody made as missed.

    The day of the upload is made as of the upload's own time, whenever that is read.
    """
    zone = campaign.flow.timezone
    today = days.day_of(zone, work.now_ms)
    uploaded_on = days.day_of(zone, campaign.created_ms)
    while campaign.next_day <= min(today, campaign.last_day) and not campaign.revoked:
        day = campaign.next_day
        campaign.next_day = days.day_after(day)
        if day == uploaded_on:
            begin_day(work, campaign, day, campaign.created_ms)
        elif day == today:
            begin_day(work, campaign, day, work.now_ms)
        elif days.works_on(work.flow(campaign), day):
            campaign.days.append(Day(day, "missed", 0))
            alerts.day_missed(work, campaign, day)
        else:
            campaign.days.append(Day(day, "not_working", 0))
    if campaign.next_day <= campaign.last_day and not campaign.revoked:
        work.wake(days.instant(zone, campaign.next_day, 0), key("c", campaign.request_id))


def begin_day(work: Work, campaign: Campaign, day: str, as_of_ms: int) -> None:
    """Fixes the instants of a day's slots and sets going the creation of its FDDs."""
    if not days.works_on(work.flow(campaign), day):
        campaign.days.append(Day(day, "not_working", 0))
        return
    work.count_on(campaign, day)
    windows = make_windows(work, campaign, day, as_of_ms)
    last_end_ms = max(each.end_ms for each in windows)
    campaign.days.append(Day(day, "creating", len(windows), 0, last_end_ms))
    job = Job("create", campaign.request_id, day, revision=campaign.revision)
    work.put_job(create_job(campaign.request_id, day), job)


def make_windows(
    work: Work, campaign: Campaign, day: str, as_of_ms: int, remade: bool = False
) -> list[Window]:
    """The windows of the campaign's present slots on a day, and the jobs at their edges."""
    zone = campaign.flow.timezone
    made = []
    for slot in campaign.slots:
        start_ms = days.instant(zone, day, slot[0])
        end_ms = days.instant(zone, day, slot[1], True)
        verdict = "create"
        if end_ms <= start_ms:
            verdict = "dst_gap"
        elif end_ms <= as_of_ms:
            verdict = "past_slot"
        window = Window(
            day, days.slot_key(slot), campaign.revision, start_ms, end_ms, verdict, remade
        )
        made.append(window)
        if verdict == "create":
            about = (campaign.request_id, day, window.slot, window.revision)
            work.put_job(feed_job(campaign.request_id, window), Job("feed", *about), start_ms)
            work.put_job(end_job(campaign.request_id, window), Job("end", *about), end_ms)
    campaign.windows.extend(made)
    return made


def wake_feed(work: Work, campaign: Campaign, window: Window) -> None:
    """Lets a slot's FDDs be queued, once it begins."""
    work.wake(window.start_ms, feed_job(campaign.request_id, window))


def end_again(work: Work, campaign: Campaign, window: Window) -> None:
    """For FDDs that were made when their slot was over already."""
    if window.end_ms <= work.now_ms:
        about = (campaign.request_id, window.day, window.slot, window.revision)
        work.put_job(end_job(campaign.request_id, window), Job("end", *about))


def day_row(campaign: Campaign, day: str) -> Day | None:
    """What is known of a day of the campaign."""
    return next((each for each in campaign.days if each.day == day), None)


def undated_day(work: Work, campaign: Campaign, day: str) -> Day:
    """The day of an FDD without a slot: there is one from its first FDD on."""
    found = day_row(campaign, day)
    if found is None:
        zone = campaign.flow.timezone
        _, end_ms = days.working_window(work.flow(campaign), day, zone)
        found = Day(day, "created", 1, 0, end_ms)
        campaign.days.append(found)
        campaign.days.sort(key=lambda each: each.day)
        work.count_on(campaign, day)
    return found


def last_end_ms(campaign: Campaign) -> int:
    """The end of the last slot of the last day; without slots of the last day's working time."""
    if not campaign.slots:
        ends = [each.last_end_ms for each in campaign.days if each.last_end_ms]
        return max(ends, default=campaign.created_ms)
    zone = campaign.flow.timezone
    return max(days.instant(zone, campaign.last_day, slot[1], True) for slot in campaign.slots)


def slots_shown(campaign: Campaign) -> list[str]:
    """The slots that the campaign has now, and those that its days had, in order."""
    keys = {days.slot_key(slot) for slot in campaign.slots}
    keys.update(each.slot for each in campaign.windows)
    return sorted(keys) if campaign.slots else [NO_SLOT]
