"""The cap on contacts of one number in a day: what contact policies say.

A contact is an order. Days are those of the campaign's zone.
"""

from __future__ import annotations

from domain.campaigns import days
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, encode
from domain.campaigns.work import Work, read

_KEPT_MS = 3 * 86_400_000  # longer than a day is in any zone


def _cap(work: Work, campaign: Campaign) -> int | None:
    caps = [each.per_day for each in work.flows.policies() if each.covers(campaign.flow.name)]
    return min(caps, default=None)


def _row(work: Work, campaign: Campaign, number: str) -> bytes:
    return key("p", number, days.day_of(campaign.flow.timezone, work.now_ms))


def may_contact(work: Work, campaign: Campaign, number: str) -> bool:
    """Whether one more contact of the number is within every policy of the flow."""
    cap = _cap(work, campaign)
    if cap is None:
        return True
    return (read(work.book, _row(work, campaign, number), int) or 0) < cap


def note_contact(work: Work, campaign: Campaign, number: str) -> None:
    """Counts a contact, while any policy is in force."""
    if not work.flows.policies():
        return
    row = _row(work, campaign, number)
    before = read(work.book, row, int) or 0
    work.book.put(row, encode(before + 1))
    if not before:
        work.wake(work.now_ms + _KEPT_MS, row)


def forget(work: Work, row: bytes) -> None:
    """Drops a row whose day is over."""
    work.book.delete(row)
