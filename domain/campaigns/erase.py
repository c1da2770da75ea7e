"""A person's number is taken out of every row of a shard; what stays is counts.

What was pending for it becomes NEGATIVE; later days leave the record out. The do-not-call list
keeps its numbers: it is what keeps the person from being called again.
"""

from __future__ import annotations

from domain.campaigns.fdds import all_places, load, places, save
from domain.campaigns.keys import Ref, key, record_key
from domain.campaigns.negatives import live_campaigns, records_of, strike
from domain.campaigns.rows import Campaign, Negatives, Record, encode
from domain.campaigns.work import Work, read


def erase(work: Work, number: str, dry_run: bool) -> int:
    """How many FDDs and records had the E.164 number."""
    touched = 0
    for campaign in live_campaigns(work):
        records = records_of(work, campaign.request_id, number)
        if records and not dry_run:
            where = places(work, campaign)
            strike(work, campaign, number, records, where, Negatives(), False)
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


def _drop(work: Work, row_key: bytes) -> None:
    work.book.delete(row_key)
    while rows := work.book.scan(row_key + b"/"):
        for each, _ in rows:
            work.book.delete(each)
