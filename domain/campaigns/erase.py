"""A person's number is taken out of every row of a shard; what stays is counts.

What was pending for it becomes NEGATIVE; later days leave the record out. The do-not-call list
keeps its numbers: it is what keeps the person from being called again.
"""

from __future__ import annotations

from domain.campaigns.fdds import all_places, load, places, save
from domain.campaigns.keys import Ref, key, record_key
from domain.campaigns.negatives import live_campaigns, records_of, strike
from domain.campaigns.rows import Campaign, Job, Negatives, Record, decode, encode
from domain.campaigns.work import Work, read

_PAGE = 250  # records of a transaction; each has an FDD a day and slot


def erase(work: Work, number: str, dry_run: bool) -> int:
    """How many FDDs and records had the E.164 number."""
    touched = 0
    for campaign in live_campaigns(work):
        records = records_of(work, campaign.request_id, number)
        if records and not dry_run:
            where = places(work, campaign)
            strike(work, campaign, records, where, Negatives(), False)
        for record_no in records:
            touched += 1 + _erase_record(work, campaign, record_no, dry_run)
        if dry_run:
            continue
        _drop(work, key("n", campaign.request_id, number))
        work.book.delete(key("x", campaign.request_id, number))
    if not dry_run:
        _drop(work, key("p", number))
    return touched


def _erase_record(work: Work, campaign: Campaign, record_no: int, dry_run: bool) -> int:
    row_key = record_key(campaign.request_id, record_no)
    record = read(work.book, row_key, Record)
    if record is not None and not dry_run:
        work.book.put(row_key, encode(Record("", {}, record.schedule_ms, record.duplicate)))
    touched = 0
    for day, slot, revision in all_places(campaign):
        ref = Ref(campaign.request_id, day, slot, revision, record_no)
        fdd = load(work, ref)
        if fdd is None:
            continue
        touched += 1
        if not dry_run:
            fdd.number = ""
            for index, (at_ms, rule, decided, _) in enumerate(fdd.trace):
                if rule == "negative":
                    fdd.trace[index] = (at_ms, rule, decided, None)
            save(work, campaign, ref, fdd)
    return touched


def old_requests(work: Work, before_day: str) -> list[Campaign]:
    """Campaigns that were over before the day (`YYYYMMDD`) and still have numbers."""
    found = []
    for campaign in live_campaigns(work):
        if over_before(campaign, before_day) and not campaign.erased:
            found.append(campaign)
    return found


def over_before(campaign: Campaign, before_day: str) -> bool:
    """Whether the campaign's last day was before that day."""
    return max([campaign.last_day, *(each.day for each in campaign.days)]) < before_day


def erase_old(work: Work, before_day: str, dry_run: bool) -> int | Job:
    """Takes all numbers out of campaigns that are over; of a dry run how many rows have one."""
    old = old_requests(work, before_day)
    if dry_run or not old:
        return sum(campaign.accepted for campaign in old)
    requests = [campaign.request_id for campaign in old]
    return Job("erase", requests[0], args={"requests": requests})


def erase_page(work: Work, campaign: Campaign, job: Job) -> bool:
    """The next records; whether all are through. Goes from campaign to campaign."""
    campaign.erased = True
    prefix = key("r", campaign.request_id) + b"/"
    rows = work.book.scan(prefix, job.cursor, _PAGE)
    where = places(work, campaign)
    for row_key, raw in rows:
        record_no, record = int(row_key[-8:]), decode(Record, raw)
        if record.number:
            strike(work, campaign, [record_no], where, Negatives(), False)
            _erase_record(work, campaign, record_no, False)
            job.touched += 1
    if len(rows) == _PAGE:
        job.cursor = rows[-1][0]
        return False
    for letter in ("n", "x"):  # what is left of numbers: a page of keys at a time
        found = work.book.scan(key(letter, campaign.request_id) + b"/", limit=4 * _PAGE)
        for row_key, _ in found:
            work.book.delete(row_key)
        if len(found) == 4 * _PAGE:
            return False
    requests = job.args["requests"]
    requests.pop(0)
    job.cursor = b""
    if requests:
        job.request_id = requests[0]
    return not requests


def _drop(work: Work, row_key: bytes) -> None:
    work.book.delete(row_key)
    while rows := work.book.scan(row_key + b"/"):
        for each, _ in rows:
            work.book.delete(each)
