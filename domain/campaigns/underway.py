"""What goes on in a campaign shard: days being made, slots that are open, changes at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.campaigns import days
from domain.campaigns.book import Book
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, Command, Counts, Job, Window, decode
from domain.campaigns.work import pending_of, read

PAGE = 200  # campaigns: some milliseconds
DAY_CREATION, SLOT_RUN, RETRIGGER, CHANGE = "day creation", "slot run", "retrigger", "change"


class Underway(NamedTuple):
    """`done` of `total` `unit`s, None when the total isn't known; `until_ms`: it ends then at the
    latest."""

    kind: str
    name: str
    done: int
    total: int | None
    unit: str
    started_ms: int | None = None
    until_ms: int | None = None
    detail: str = ""


def underway(book: Book, now_ms: int) -> Iterator[list[Underway]]:
    """All of it, by the page: others may have their turn in between. Costs as much as there are
    campaigns and jobs, however many FDDs."""
    yield _jobs(book)
    after = b""
    while rows := book.scan(b"c/", after, PAGE):
        yield [run for _, raw in rows for run in _slots(book, decode(Campaign, raw), now_ms)]
        after = rows[-1][0]


def _slots(book: Book, one: Campaign, now_ms: int) -> Iterator[Underway]:
    for window in one.windows:
        live = window.start_ms <= now_ms < window.end_ms and window.verdict == "create"
        if live and not one.revoked:
            run = _slot(book, one, window)
            if run is not None:
                yield run


def _jobs(book: Book) -> list[Underway]:
    found, after = [], b""
    while rows := book.scan(b"j/", after, PAGE):
        for _, raw in rows:
            job = decode(Job, raw)
            one = read(book, key("c", job.request_id), Campaign)
            if job.kind == "create" and one is not None:
                found.append(_creation(one, job))
            elif job.command_id:
                found.append(_command(book, one, job))
        after = rows[-1][0]
    return found


def _creation(one: Campaign, job: Job) -> Underway:
    done = next((each.done for each in one.days if each.day == job.day), 0)
    name = f"{one.name}, {days.day_text(job.day)}" if job.day else one.name
    total = one.last_record if one.processed_ms is not None else None
    return Underway(DAY_CREATION, name, done, total, "record", detail=one.request_id)


def _command(book: Book, one: Campaign | None, job: Job) -> Underway:
    row = read(book, key("k", job.command_id), Command)
    what = job.kind if row is None else row.action
    name = job.request_id if one is None else one.name
    kind = RETRIGGER if what == "retrigger" else CHANGE
    return Underway(
        kind, f"{what} {name}" if kind == CHANGE else name, job.touched, None, "FDD",
        None if row is None else row.at_ms, detail=job.request_id,
    )  # fmt: skip


def _slot(book: Book, one: Campaign, window: Window) -> Underway | None:
    counts = read(book, key("z", one.request_id, window.day, window.slot), Counts)
    if counts is None or not counts.created:
        return None
    done = counts.created - pending_of(counts)
    name = f"{one.name}, {days.day_text(window.day)} {days.slot_shown(window.slot)}"
    return Underway(
        SLOT_RUN, name, done, counts.created, "FDD", window.start_ms, window.end_ms,
        f"{one.request_id}{', paused' if one.paused else ''}",
    )  # fmt: skip
