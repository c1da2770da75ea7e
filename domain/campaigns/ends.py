"""What the end of a slot does to FDDs that are still under way."""

from __future__ import annotations

from functools import partial

from domain.campaigns.alerts import slot_ended
from domain.campaigns.fdds import held_to, out_of_slot, save, settle
from domain.campaigns.keys import Ref
from domain.campaigns.lifecycle import feed_job
from domain.campaigns.results import no_answer
from domain.campaigns.rows import (
    CREATED,
    LEASED,
    NO_ACK,
    QUEUED,
    REATTEMPT,
    Campaign,
    Fdd,
    Job,
)
from domain.campaigns.walk import walk
from domain.campaigns.work import Work, window_of


def end_of_slot(work: Work, campaign: Campaign, job_id: bytes, job: Job) -> None:
    """A page of what is left when a slot is over; `held` in args: a custom one."""
    if "places" not in job.args:
        job.args["places"] = [(job.day, job.slot, job.revision)]
    window = window_of(campaign, job.day, job.slot, job.revision)
    if window is not None and "held" not in job.args:
        work.book.delete(feed_job(campaign.request_id, window))
        counts = work.counts(campaign.request_id, job.day, job.slot)
        if not any(counts.states.get(s) for s in (CREATED, QUEUED, LEASED, REATTEMPT)):
            work.book.delete(job_id)
            slot_ended(work, campaign, window)
            return
    held = job.args.get("held")
    visit = partial(_end, held=None if held is None else (held[0], held[1]))
    if walk(work, campaign, job, visit):
        work.book.delete(job_id)
        if window is not None and held is None:
            slot_ended(work, campaign, window)
    else:
        work.put_job(job_id, job)


def _end(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, held: tuple[int, int] | None
) -> str | None:
    if fdd.retriggered is (held is None) or (held is not None and fdd.held != held):
        return None
    until = held_to(fdd, work.window(campaign, ref))
    if until is None or work.now_ms < until[1]:
        return None
    if fdd.state in (CREATED, QUEUED):
        out_of_slot(work, campaign, ref, fdd, until[1])
    elif fdd.state == LEASED:
        no_answer(work, campaign, ref, fdd, NO_ACK)
    elif fdd.state == REATTEMPT:
        settle(work, campaign, ref, fdd, "slot_over")
    else:
        return None
    save(work, campaign, ref, fdd)
    return fdd.state
