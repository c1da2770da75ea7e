"""The rules of campaigns, from outside: each call is one transaction on a Book.

`apply` raises `Reject` for an event that can't be applied: it is a dead letter with that reason,
and what the transaction wrote before must be dropped. Everything else that is refused (a retrigger
too early) is an answer: a row `k/<command id>` and a record on `campaign-audit`. `Invariant` stops
the shard, nothing of the transaction may be kept. Queries only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.campaigns import alerts, commands, contacts, creation, ends
from domain.campaigns import dispatch as queue
from domain.campaigns.book import Book
from domain.campaigns.check import check, recount
from domain.campaigns.commands import command_json
from domain.campaigns.document import Flows
from domain.campaigns.keys import ref_of_key
from domain.campaigns.leasing import leases_end
from domain.campaigns.lifecycle import start_days
from domain.campaigns.results import deadline, result
from domain.campaigns.rows import Job
from domain.campaigns.views import campaign_json, campaigns_of_day, fdd_json, tabs
from domain.campaigns.why import why_json
from domain.campaigns.work import Invariant, Work, read
from domain.errors import Reject

EventRefused = Reject

# job kind -> its page; the kinds of commands have theirs in `commands.PAGES`
_PAGES = {
    "create": creation.page,
    "feed": queue.feed,
    "end": ends.end_of_slot,
    "held": ends.end_of_slot,
    **dict.fromkeys(commands.PAGES, commands.page),
}


def apply(book: Book, event: Mapping[str, Any], now_ms: int, flows: Flows) -> None:
    """Applies one event: of kind `command`, `result` or `contact`. Raises Reject."""
    try:
        _apply(Work(book, now_ms, flows), event)
    except OverflowError as error:
        # A number or an instant that nothing here has room for. The record is durable: what isn't
        # refused would end each worker that reads it.
        raise Reject("bad_event", f"a number or instant in it is too far: {error}") from error


def _apply(work: Work, event: Mapping[str, Any]) -> None:
    kind = event.get("kind")
    if kind == "command":
        commands.command(work, event)
    elif kind == "result":
        result(work, event)
    elif kind == contacts.KIND:
        answer = contacts.told(work, event)
        if answer is not None:
            queue.answered(work, answer)
    else:
        raise Reject("bad_event", f"kind {kind!r}, expected command or result")
    work.close()


def due(book: Book, key: bytes, now_ms: int, flows: Flows) -> None:
    """What a wake of that key asks for; a key that no longer matters does nothing."""
    work = Work(book, now_ms, flows)
    letter, _, rest = key.partition(b"/")
    if letter == b"j":
        job = read(book, key, Job)
        campaign = None if job is None else work.campaign(job.request_id)
        if job is not None and campaign is not None:
            _PAGES[job.kind](work, campaign, key, job)
    elif letter == b"f":
        ref = ref_of_key(key)
        campaign = work.campaign(ref.request_id)
        if campaign is not None:
            deadline(work, campaign, ref)
    elif letter == b"b":
        leases_end(work, key)
    elif letter == b"w":
        queue.dispatch(work, rest.decode(), queue.PAGE)
    elif letter == b"c":
        campaign = work.campaign(rest.decode())
        if campaign is not None and campaign.slots:
            start_days(work, campaign)
    elif letter == b"a":
        alerts.look(work, key)
    elif letter == b"i":
        alerts.listen(work, rest.decode())
    elif letter == b"p":
        contacts.forget(work, key)
    elif letter == b"k":
        book.delete(key)
    work.close()


def dispatch(book: Book, flow: str, now_ms: int, flows: Flows, limit: int = 1000) -> int:
    """Orders what may be ordered, at most `limit` FDDs of the flow; how many it took up.

    The rules wake `w/<flow>` whenever there is something to dispatch, and `due` of that key calls
    this: an engine that calls `apply` and `due` need not call it.
    """
    work = Work(book, now_ms, flows)
    taken = queue.dispatch(work, flow, limit)
    work.close()
    return taken


__all__ = [
    "EventRefused",
    "Invariant",
    "apply",
    "campaign_json",
    "campaigns_of_day",
    "check",
    "command_json",
    "dispatch",
    "due",
    "fdd_json",
    "recount",
    "tabs",
    "why_json",
]
