"""What the FDDs of a page that is ordered at once share: when their leases end, and how their
documents change.
"""

from __future__ import annotations

from domain.campaigns.keys import ref_of_key
from domain.campaigns.results import deadline
from domain.campaigns.work import Work


def lease(
    work: Work,
    place: tuple[str, str, str, int],
    record_nos: list[int],
    deadline_ms: int,
    retriggered: bool = False,
) -> None:
    """The FDDs of these records, in their order, were ordered for the first time. place: (request,
    day, slot, revision)."""
    first, last = record_nos[0], record_nos[-1]
    page = "/".join((*place[:3], str(place[3])))
    work.wake(deadline_ms, f"b/{page}/{first:08}/{last:08}".encode())
    attempt = {
        "attempt": 1, "started_at": None, "finished_at": None, "outcome": None, "reason": None,
        "retriggered": retriggered,
    }  # fmt: skip
    prefix = page.replace("/", ".") + "."
    change = {"of": prefix, "records": record_nos, "attempt": attempt}
    work.book.store("leases", f"{prefix}{first}", change)


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
