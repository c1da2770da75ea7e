"""An upload: its description checked, the campaign made, its rows taken in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.aggregation.zones import known_zone
from domain.campaigns import days
from domain.campaigns.creation import wake_creation
from domain.campaigns.document import Flow, flow_of
from domain.campaigns.keys import flow_of_request, key
from domain.campaigns.lifecycle import create_job, start_days
from domain.campaigns.negatives import add_records
from domain.campaigns.rows import Campaign, Job, Record, encode
from domain.campaigns.work import Work
from domain.errors import Reject

POLICIES = ("allow", "first", "reject")
Wrong = tuple[str, object, str]
"""A path in the description, what is there, what would be accepted."""
_LONGEST_MS = 100 * 366 * 86_400_000  # of a flow's durations: longer than any document may say
# record_no (eight digits of a key), number, fields, schedule_ms
_Row = tuple[
    Annotated[int, msgspec.Meta(ge=1, le=99_999_999)],
    Annotated[str, msgspec.Meta(pattern=r"^\+[0-9]+\Z")],
    dict[str, str],
    Annotated[int, msgspec.Meta(ge=MIN_INSTANT_MS, le=MAX_INSTANT_MS)] | None,
]


def slot_problems(flow: Flow, texts: object, path: str = "slots") -> list[Wrong]:
    """What is wrong with the slots of an upload or a reschedule."""
    if not isinstance(texts, list | tuple):
        return [(path, texts, "a list of slots like 10:00-12:00")]
    wrong: list[Wrong] = []
    if len(texts) > flow.max_slots_per_day:
        wrong.append((path, len(texts), f"at most {flow.max_slots_per_day} slots a day"))
    hours = flow.working_time
    inside = f"a slot inside working time {days.slot_text((hours.start, hours.end))}"
    found: list[tuple[days.Slot, str]] = []
    for index, text in enumerate(texts):
        here = f"{path}[{index}]"
        slot = days.parse_slot(text)
        if slot is None:
            wrong.append((here, text, "a slot like 10:00-12:00, its start before its end"))
            continue
        if slot[0] < hours.start or slot[1] > hours.end:
            wrong.append((here, text, inside))
        for other, shown in found:
            if slot[0] < other[1] and other[0] < slot[1]:
                wrong.append((here, text, f"a slot that doesn't overlap {shown}"))
        found.append((slot, str(text)))
    return wrong


def problems(
    flow: Flow, description: Mapping[str, Any], now_ms: int, last_day: str = days.LAST_DAY
) -> list[Wrong]:
    """What is wrong with the slots, days, start date and policy of a description.

    `last_day`: the last one that it may begin on. Who takes an upload says it; what was taken, by
    an older version too, is not refused for it.
    """
    wrong = slot_problems(flow, description.get("slots", []))
    asked = description.get("days", 1)
    most = flow.max_days if description.get("slots") else 1
    if not isinstance(asked, int) or isinstance(asked, bool) or not 1 <= asked <= most:
        expected = f"a whole number of days from 1 to {most}"
        wrong.append(("days", asked, expected if most > 1 else "1: without slots there is one day"))
    start = description.get("start_date")
    if start is not None:
        day, today = days.parse_day(start), days.day_of(flow.timezone, now_ms)
        if day is None or not today <= day <= last_day:
            first, last = days.day_text(today), days.day_text(last_day)
            wrong.append(
                ("start_date", start, f"a date like {first}, today or later, up to {last}")
            )
    policy = description.get("duplicates", "allow")
    if policy not in POLICIES:
        wrong.append(("duplicates", policy, f"one of {', '.join(POLICIES)}"))
    return wrong


def upload(work: Work, request_id: str, body: Mapping[str, Any], actor: str, reason: str) -> None:
    """Makes the campaign of a description, with no rows yet. Once more changes nothing.

    body: description, flow (`flow_json`), now_ms of the 202, file, digest, columns.
    """
    if work.campaign(request_id) is not None:
        return
    description, columns = body["description"], body.get("columns") or []
    if not isinstance(description, Mapping):
        raise Reject("bad_event", f"description {description!r}, expected an object")
    flow = _flow(body["flow"])
    now_ms = int(body["now_ms"])
    if flow_of_request(request_id) != flow.name:
        raise Reject("bad_event", f"request_id {request_id!r}, expected {flow.name}-<hex>")
    wrong = problems(flow, description, now_ms)
    if wrong:
        path, value, expected = wrong[0]
        raise Reject("bad_event", f"{path}: {value!r} is not accepted, expected {expected}")
    slots = sorted(filter(None, map(days.parse_slot, description.get("slots", []))))
    today = days.day_of(flow.timezone, now_ms)
    start = days.parse_day(description.get("start_date")) or today
    campaign = Campaign(
        request_id=request_id,
        name=str(description.get("name") or flow.name),
        flow=flow,
        slots=slots,
        start_day=start,
        last_day=days.day_after(start, int(description.get("days", 1)) - 1),
        duplicate_policy=description.get("duplicates", "allow"),
        created_ms=now_ms,
        file=str(body.get("file") or ""),
        digest=str(body.get("digest") or ""),
        columns=msgspec.convert(columns, list[str]),
        actor=actor,
        reason=reason,
        next_day=start,
    )
    work.add_campaign(campaign)
    work.book.put(key("l", request_id), b"")
    work.count_on(campaign, today)
    if slots:
        start_days(work, campaign)
    else:
        campaign.next_day = days.day_after(campaign.last_day)
        work.put_job(create_job(request_id, start), Job("create", request_id, start))


def _flow(data: Mapping[str, Any]) -> Flow:
    """The flow of an upload. What the rules can't reckon with would end each worker later, when
    nothing can be refused any more. Raises Reject, msgspec.ValidationError."""
    flow = flow_of(data)
    hours = flow.working_time
    spans = (flow.lease_ms, flow.result_ms, flow.reattempts.after_ms)
    if not known_zone(flow.timezone):
        raise Reject("bad_event", f"flow: timezone {flow.timezone!r}, expected an IANA name")
    if not 0 <= hours.start < hours.end <= 1440:
        raise Reject("bad_event", "flow: working_time: expected minutes of a day, start before end")
    if not all(0 <= span <= _LONGEST_MS for span in spans):
        raise Reject("bad_event", f"flow: durations {spans}, expected up to {_LONGEST_MS} ms")
    return flow


def rows(work: Work, campaign: Campaign, body: Mapping[str, Any]) -> None:
    """Takes in accepted rows, in order; those that were taken in before are passed over.

    body: rows of [number, fields, schedule_ms] numbered from `first`, or each with its
    record_no in front; rejected so far; duplicates_seen (those that were rejected); progress.
    """
    following = int(body.get("first") or 1)
    taken: list[tuple[int, str, dict[str, str], int | None]] = []
    for row in body.get("rows") or []:
        if len(row) == 4:
            following, number, fields, schedule_ms = row
        else:
            number, fields, schedule_ms = row
        record_no, following = following, following + 1
        if record_no > campaign.last_record:
            campaign.last_record = record_no
            taken.append((record_no, number, fields, schedule_ms))
    taken = msgspec.convert(taken, list[_Row])
    twice = add_records(work, campaign.request_id, [(row[0], row[1]) for row in taken])
    campaign.duplicates += len(twice)
    prefix = key("r", campaign.request_id) + b"/"
    work.book.put_all(
        [(b"%b%08d" % (prefix, row[0]), encode(Record(*row[1:], row[0] in twice))) for row in taken]
    )
    if not campaign.slots:
        times = [row[3] for row in taken if row[3] is not None]
        times += [] if campaign.first_scheduled_ms is None else [campaign.first_scheduled_ms]
        campaign.first_scheduled_ms = min(times, default=None)
    campaign.accepted += len(taken)
    _totals(work, campaign, len(taken), body)
    campaign.progress = float(body.get("progress") or campaign.progress)
    wake_creation(work, campaign)


def rows_end(work: Work, campaign: Campaign, body: Mapping[str, Any]) -> bool:
    """The file was read to its end; False when that was told before."""
    if campaign.processed_ms is not None:
        return False
    accepted = body.get("accepted")
    if accepted is not None and accepted != campaign.accepted:
        detail = f"accepted {accepted!r}, expected the {campaign.accepted} rows that came"
        raise Reject("bad_event", detail)
    _totals(work, campaign, 0, body)
    campaign.progress = 1.0
    campaign.processed_ms = work.now_ms
    wake_creation(work, campaign)
    return True


def _totals(work: Work, campaign: Campaign, taken: int, body: Mapping[str, Any]) -> None:
    rejected = int(body.get("rejected") or campaign.rejected)
    more = taken + rejected - campaign.rejected
    campaign.rejected = rejected
    if campaign.duplicate_policy == "reject":
        campaign.duplicates = max(campaign.duplicates, int(body.get("duplicates_seen") or 0))
    if more:
        for day in campaign.counted_on:
            work.tabs(campaign, day).uploaded += more
