"""Loads and dimensions that wait, run, or are done: what is asked, and which steps it takes.

A job's `key` is what it came from: `event/<offset>`, or `file/<address>` for an object that lay in
the incoming place. The row of such an object stays when the job is done, for as long as the object
is there: that is how it is known.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from domain.impressions.events import ImpressionEvent

Kind = Literal["load", "dimension"]
JobState = Literal["queued", "running", "done", "failed"]
EVENT, FILE = "event/", "file/"
KEPT = 100  # jobs of events that are over, to be looked at

STEPS: dict[Kind, tuple[str, ...]] = {
    "load": ("partition", "join", "update"),
    "dimension": ("dimension", "join", "update"),
}
"""In this order. Which of them have nothing to do is seen when they are reached."""


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of them. `number` is its place in the queue, `tag` that of an object that was found.
    `done`: steps that need not run again. `since` is the version of the dimension when it was begun
    to be worked on; with it, and with `running`, a step that was committed and not noted is known
    after a kill. `ended_ms`: when it was done or failed."""

    key: str
    kind: Kind
    file: str
    number: int
    queued_ms: int
    tag: str = ""
    date: str = ""
    replace: bool = False
    state: JobState = "queued"
    done: tuple[str, ...] = ()
    since: int | None = None
    load: str = ""
    problem: str = ""
    ended_ms: int = 0

    @property
    def open(self) -> bool:
        """Whether it is still to be worked on."""
        return self.state in ("queued", "running")

    @property
    def left(self) -> tuple[str, ...]:
        """The steps that are not done."""
        return tuple(step for step in STEPS[self.kind] if step not in self.done)


class Seen(msgspec.Struct, frozen=True):
    """An object in the incoming place: its whole address, and its tag."""

    file: str
    tag: str


def of_event(event: ImpressionEvent, offset: int, number: int, now_ms: int) -> Job:
    """The job that an event asks for; the same for the same event."""
    return Job(
        f"{EVENT}{offset:020}", event.type, event.file, number, now_ms, date=event.date,
        replace=event.replace,
    )  # fmt: skip


def of_object(seen: Seen, number: int, now_ms: int) -> Job:
    """The job of an object that was found."""
    return Job(f"{FILE}{seen.file}", "load", seen.file, number, now_ms, seen.tag)


def unknown(found: Iterable[Seen], jobs: Mapping[str, Job]) -> list[Seen]:
    """The objects that no job knows with this content. One that is open is left to end first."""
    fresh = []
    for seen in found:
        known = jobs.get(f"{FILE}{seen.file}")
        if known is None or (known.tag != seen.tag and not known.open):
            fresh.append(seen)
    return fresh


def gone(found: Iterable[Seen], jobs: Mapping[str, Job]) -> list[str]:
    """The keys of jobs that are over and whose objects are no longer there: they can go."""
    there = {f"{FILE}{seen.file}" for seen in found}
    return [
        key for key, job in jobs.items()
        if key.startswith(FILE) and not job.open and key not in there
    ]  # fmt: skip


def past(jobs: Mapping[str, Job]) -> list[str]:
    """The keys of jobs of events that are over, but for the last KEPT of them."""
    over = [job for key, job in jobs.items() if key.startswith(EVENT) and not job.open]
    return [job.key for job in sorted(over, key=lambda job: job.number)[:-KEPT]]


def next_open(jobs: Mapping[str, Job]) -> Job | None:
    """The job whose turn it is."""
    return min((job for job in jobs.values() if job.open), key=lambda job: job.number, default=None)
