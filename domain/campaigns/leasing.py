"""What the FDDs of a page that is ordered at once share: when their leases end, and how their
documents change.
"""

from __future__ import annotations

from domain.campaigns.keys import Ref, ref_of_key
from domain.campaigns.results import deadline
from domain.campaigns.work import Work


def lease(work: Work, refs: list[Ref], deadline_ms: int, retriggered: bool = False) -> None:
    """These FDDs of one slot, in the order of their records, were ordered for the first time."""
    first, last = refs[0], refs[-1]
    page = "/".join((first.request_id, first.day, first.slot, str(first.revision)))
    work.wake(deadline_ms, f"b/{page}/{first.record_no:08}/{last.record_no:08}".encode())
    attempt = {
        "attempt": 1, "started_at": None, "finished_at": None, "outcome": None, "reason": None,
        "retriggered": retriggered,
    }  # fmt: skip
    change = {
        "of": page.replace("/", ".") + ".",
        "records": [ref.record_no for ref in refs],
        "attempt": attempt,
    }
    work.book.store("leases", first.id, change)


def leases_end(work: Work, row: bytes) -> None:
    """The leases of a page are over: NO_ACK for those that had no answer."""
    place, last = row[2:].rsplit(b"/", 1)
    first = b"f/" + place
    prefix = first[: first.rindex(b"/") + 1]
    ref = ref_of_key(first)
    campaign = work.campaign(ref.request_id)
    if campaign is None:
        return
    # the first itself is not greater than itself
    after = prefix + f"{ref.record_no - 1:08}".encode() if ref.record_no else prefix
    count = int(last) - ref.record_no + 1
    for key, _ in work.book.scan(prefix, after, count):
        found = ref_of_key(key)
        if found.record_no > int(last):
            break
        deadline(work, campaign, found)
