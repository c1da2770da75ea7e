"""Going through many FDDs, a page a transaction.

A job's `args["places"]` are the (day, slot, revision) still to visit; its cursor is in the first.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.campaigns.fdds import prefix_of
from domain.campaigns.keys import Ref, ref_of_key
from domain.campaigns.rows import Campaign, Fdd, Job, decoder
from domain.campaigns.work import Work

PAGE = 500  # FDDs looked at in a transaction; each may change a handful of rows
Visit = Callable[[Work, Campaign, Ref, Fdd], str | None]
"""Changes and saves an FDD; what it is counted by, None when it was left alone."""

_decode_fdd = decoder(Fdd).decode


def walk(work: Work, campaign: Campaign, job: Job, visit: Visit, most: int = PAGE) -> bool:
    """Visits the next FDDs; whether it is through. Counts in `job.touched` and `job.by`."""
    places = job.args["places"]
    left = most
    while places and left > 0:
        day, slot, revision = places[0]
        rows = work.book.scan(prefix_of(job.request_id, (day, slot, revision)), job.cursor, left)
        for row_key, raw in rows:
            by = visit(work, campaign, ref_of_key(row_key), _decode_fdd(raw))
            if by is not None:
                job.touched += 1
                job.by[by] = job.by.get(by, 0) + 1
        if len(rows) < left:
            places.pop(0)
            job.cursor = b""
        else:
            job.cursor = rows[-1][0]
        left -= len(rows)
    return not places
