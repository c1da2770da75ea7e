"""A day's FDDs are made: page by page, each record once for each slot of the day.

The page's place is in its job row, in the same transaction as the FDDs: none is made twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.campaigns import days
from domain.campaigns.alike import untouched
from domain.campaigns.fdds import count, document, enqueue, move, note, prefix_of, save
from domain.campaigns.keys import Ref, key
from domain.campaigns.lifecycle import (
    create_job,
    day_row,
    end_again,
    undated_day,
    wake_feed,
)
from domain.campaigns.made import MADE, OF_EACH
from domain.campaigns.rows import (
    CREATED,
    NEGATIVE,
    NO_SLOT,
    QUEUED,
    Campaign,
    Counts,
    Fdd,
    Job,
    Named,
    Negative,
    Record,
    Window,
    decode,
    decoder,
)
from domain.campaigns.work import Work, read, shown_instant

PAGE_FDDS = 2000  # of a transaction: some 4,000 small writes
_decode_record = decoder(Record).decode
_decode_named = decoder(Named).decode


def is_negative(work: Work, campaign: Campaign, number: str) -> bool:
    """Whether the number is among the negatives of the request."""
    if not campaign.negatives.distinct:
        return False
    found = read(work.book, key("x", campaign.request_id, number), Negative)
    return found is not None and found.active


def is_not_to_be_called(work: Work, number: str) -> bool:
    """Whether the number is on the do-not-call list, now."""
    if not work.has_do_not_call():
        return False
    found = read(work.book, key("d", number), Negative)
    return found is not None and (found.expires_ms is None or work.now_ms < found.expires_ms)


def prefetch_lists(work: Work, campaign: Campaign, numbers: Sequence[str]) -> None:
    """Looks up together what `is_negative` and `is_not_to_be_called` will ask of these numbers."""
    if campaign.negatives.distinct:
        prefix = f"x/{campaign.request_id}/"
        work.book.prefetch([f"{prefix}{number}".encode() for number in numbers])
    if work.has_do_not_call():
        work.book.prefetch([f"d/{number}".encode() for number in numbers])


def special_among(work: Work, campaign: Campaign, numbers: Sequence[bytes]) -> set[bytes]:
    """Those that `is_negative` or `is_not_to_be_called` holds for, looked up together."""
    found: set[bytes] = set()
    if campaign.negatives.distinct:
        prefix = f"x/{campaign.request_id}/".encode()
        rows = work.book.get_all([prefix + number for number in numbers])
        pairs = zip(numbers, rows, strict=True)
        found = {n for n, raw in pairs if raw is not None and decode(Negative, raw).active}
    if work.has_do_not_call():
        work.book.prefetch([b"d/" + number for number in numbers])
        found.update(n for n in numbers if is_not_to_be_called(work, n.decode()))
    return found


def page(work: Work, campaign: Campaign, job_id: bytes, job: Job) -> None:
    """Makes the next FDDs of a day. At the end of the rows so far it waits for more."""
    windows = [
        each
        for each in campaign.windows
        if each.day == job.day and each.revision == job.revision and not each.remade
    ]
    limit = max(1, PAGE_FDDS // max(1, len(windows)))
    prefix = key("r", campaign.request_id) + b"/"
    rows = work.book.scan(prefix, job.cursor, limit)
    if campaign.slots:
        _make(work, campaign, windows, [(_number(k), _decode_named(v)) for k, v in rows])
    else:
        for row_key, raw in rows:
            _make_undated(work, campaign, _number(row_key), _decode_record(raw))
    day = day_row(campaign, job.day)
    if day is not None and campaign.slots:
        day.done += len(rows)
    if rows:
        job.cursor = rows[-1][0]
    if len(rows) == limit:
        work.put_job(job_id, job)
    elif campaign.processed_ms is None:
        work.put_job(job_id, job, None)
    else:
        work.book.delete(job_id)
        if day is not None:
            day.state = "created"
    for window in windows:
        if rows and window.verdict == "create":
            wake_feed(work, campaign, window)
            end_again(work, campaign, window)


def wake_creation(work: Work, campaign: Campaign) -> None:
    """More rows are there for the days that are being made."""
    for each in campaign.days:
        if each.state == "creating":
            work.wake(0, create_job(campaign.request_id, each.day))
    if not campaign.slots:
        work.wake(0, create_job(campaign.request_id, campaign.start_day))


def _number(row_key: bytes) -> int:
    return int(row_key[-8:])


def _make(
    work: Work, campaign: Campaign, windows: list[Window], records: list[tuple[int, Named]]
) -> None:
    made = []  # windows in which FDDs are made
    for window in windows:
        counts = work.counts(campaign.request_id, window.day, window.slot)
        counts.expected += len(records)
        if window.verdict != "create":
            not_created(counts, window.verdict, len(records))
        elif campaign.revoked:
            not_created(counts, "revoked", len(records))
        else:
            made.append((window, counts))
    if not made:
        return
    numbers = [record.number.encode() for _, record in records]
    special = {number.decode() for number in special_among(work, campaign, numbers)}
    special.add("")  # erased since
    unlike = campaign.duplicate_policy == "first"
    alike: list[tuple[int, str]] = []
    for record_no, record in records:
        if record.number in special or (unlike and record.duplicate):
            make_record(work, campaign, record_no, record, made)
        else:
            alike.append((record_no, record.number))
    if alike:
        for window, counts in made:
            make_alike(work, campaign, window, counts, alike)


def make_alike(
    work: Work,
    campaign: Campaign,
    window: Window,
    counts: Counts,
    records: list[tuple[int, str]],
) -> None:
    """The FDDs of records that nothing is special about, in one window."""
    counts.created += len(records)
    count(counts, CREATED, len(records))
    row = untouched(window.start_ms).row
    place = (campaign.request_id, window.day, window.slot, window.revision)
    prefix = prefix_of(campaign.request_id, place[1:])
    work.book.put_all([(b"%b%08d" % (prefix, n), row(number)) for n, number in records])
    first, number = records[0]
    ref = Ref(*place, first)
    shown = document(
        ref, Fdd(number, CREATED, None, window.start_ms), work.place(campaign, ref.place)
    )
    made = {
        "of": ref.id[: ref.id.rindex(".") + 1],
        "request_id": campaign.request_id,
        "shared": {name: each for name, each in shown.items() if name not in OF_EACH},
        "records": [n for n, _ in records],
        "numbers": [number for _, number in records],
    }
    work.book.store(MADE, ref.id, made)


def make_record(
    work: Work,
    campaign: Campaign,
    record_no: int,
    record: Record | Named,
    windows: list[tuple[Window, Counts]],
) -> None:
    """One record's FDDs in windows whose verdict is to create; `expected` is counted already."""
    why = _left_out(work, campaign, record)
    for window, counts in windows:
        if why is not None:
            not_created(counts, why, 1)
            continue
        ref = Ref(campaign.request_id, window.day, window.slot, window.revision, record_no)
        _create(work, campaign, ref, counts, record.number, window.start_ms)


def not_created(counts: Counts, why: str, more: int) -> None:
    """Counts what is left out."""
    if more:
        counts.not_created[why] = counts.not_created.get(why, 0) + more


def _left_out(work: Work, campaign: Campaign, record: Record | Named) -> str | None:
    if record.duplicate and campaign.duplicate_policy == "first":
        return "duplicate"
    if not record.number:  # erased since
        return "negative"
    return "negative" if is_negative(work, campaign, record.number) else None


def _create(
    work: Work, campaign: Campaign, ref: Ref, counts: Counts, number: str, due_ms: int
) -> Fdd:
    fdd = Fdd(number, CREATED, None, due_ms)
    counts.created += 1
    count(counts, CREATED, 1)
    if is_not_to_be_called(work, number):
        note(work, fdd, "negative", NEGATIVE, {"do_not_call": True})
        move(work, campaign, ref, fdd, NEGATIVE)
    save(work, campaign, ref, fdd)
    return fdd


def _make_undated(work: Work, campaign: Campaign, record_no: int, record: Record) -> None:
    """The one FDD of a record without slots, in the queue until it is due."""
    zone = campaign.flow.timezone
    begin_ms = max(campaign.created_ms, days.instant(zone, campaign.start_day, 0))
    wanted_ms = max(record.schedule_ms or begin_ms, begin_ms)
    start_ms, _, day = days.working_at(work.flow(campaign), zone, wanted_ms)
    due_ms = max(start_ms, wanted_ms)
    undated_day(work, campaign, day).done += 1
    counts = work.counts(campaign.request_id, day, NO_SLOT)
    counts.expected += 1
    why = "revoked" if campaign.revoked else _left_out(work, campaign, record)
    if why is not None:
        not_created(counts, why, 1)
        return
    ref = Ref(campaign.request_id, day, NO_SLOT, 1, record_no)
    fdd = Fdd(record.number, CREATED, None, due_ms)
    counts.created += 1
    count(counts, CREATED, 1)
    if due_ms != wanted_ms:
        saw = {"scheduled": shown_instant(wanted_ms), "opens": shown_instant(due_ms)}
        note(work, fdd, "window", "wait", saw)
    if is_not_to_be_called(work, record.number):
        note(work, fdd, "negative", NEGATIVE, {"do_not_call": True})
        move(work, campaign, ref, fdd, NEGATIVE)
    else:
        enqueue(work, campaign, ref, fdd, due_ms)
        if due_ms <= work.now_ms:
            move(work, campaign, ref, fdd, QUEUED)
    save(work, campaign, ref, fdd)
