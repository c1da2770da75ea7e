"""What a person should look at: a slot that ended badly, a day nobody made, a silent executor.

Which of it is told say documents of kind `alert`. An alert that started is a row, so that it is
told once: on topic `alerts`, and by messages (`domain/notices.py`) to whom its document names. A
slot's and a day's end by themselves, KEPT_MS later: nothing makes them undone. An executor's ends
with the next thing that it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from domain import notices
from domain.campaigns import days
from domain.campaigns.book import Book
from domain.campaigns.document import CampaignAlert
from domain.campaigns.keys import TOLD, key
from domain.campaigns.rows import FAILED, Campaign, Raised, Window, decode, encode
from domain.campaigns.work import Work, read, shown_instant

ALERTS = "alerts"
KEPT_MS = 86_400_000  # long enough to be seen by whoever looks once a day
LOOK_MS = 60_000  # an executor's silence is looked at so often, later ever more seldom
LOOK_MOST_MS = 3_600_000


class _About(NamedTuple):
    """What an alert is about. subject: tells it from others of the same document."""

    subject: str
    flow: str
    request_id: str | None = None
    day: str | None = None
    slot: str | None = None


def slot_ended(work: Work, campaign: Campaign, window: Window) -> None:
    """Looks at how a slot went; what runs on is no failure yet."""
    counts = work.counts(campaign.request_id, window.day, window.slot)
    if not counts.created:
        return
    failed = sum(n for name, n in counts.states.items() if name.startswith(FAILED))
    percent = 100 * failed / counts.created
    slot = days.slot_shown(window.slot)
    subject = f"{campaign.request_id}/{window.day}/{window.slot}/{window.revision}"
    about = _About(subject, campaign.flow.name, campaign.request_id, window.day, window.slot)
    for alert in work.flows.alerts():
        mark = alert.over_percent
        if mark is not None and percent > mark:
            text = (
                f"Slot {slot} of {campaign.request_id} on {days.day_text(window.day)} ended with "
                f"{failed} of {counts.created} failed ({percent:.1f} %)"
            )
            _start(work, alert, about, work.now_ms, round(percent, 3), mark, text)


def day_missed(work: Work, campaign: Campaign, day: str) -> None:
    """Tells of a day whose FDDs nobody made while it was there."""
    about = _About(f"{campaign.request_id}/{day}", campaign.flow.name, campaign.request_id, day)
    for alert in work.flows.alerts():
        if alert.creation_missed:
            since_ms = days.instant(campaign.flow.timezone, day, 0)
            shown = days.day_text(day)
            text = f"No worker made the day {shown} of {campaign.request_id}; none of it is called"
            _start(work, alert, about, since_ms, 1, 0, text)


def ordered(work: Work, flow: str) -> None:
    """An order went out: from the first that is not answered on, the executor is waited for."""
    waits = work.executions(flow)
    if waits.asked_ms:
        return
    waits.asked_ms = work.now_ms
    if not waits.armed_ms:
        _arm(work, flow, work.now_ms + _shortest(work))


def heard(work: Work, flow: str) -> None:
    """The executor said something."""
    waits = work.executions(flow)
    waits.heard_ms = work.now_ms
    if waits.asked_ms:
        waits.asked_ms = 0
        if waits.silent:
            waits.silent = False
            for name, subject, raised in list(_rows(work.book)):
                if raised.silent and raised.flow == flow:
                    _end(work, name, subject, raised)


def look(work: Work, row_key: bytes) -> None:
    """Ends what was kept long enough."""
    raised = read(work.book, row_key, Raised)
    if raised is not None and not raised.silent and work.now_ms >= raised.until_ms:
        _end(work, *_named(row_key), raised)


def listen(work: Work, flow: str) -> None:
    """Looks how long the executor is silent. One look is planned at a time, whatever is ordered."""
    waits = work.executions(flow)
    if work.now_ms < waits.armed_ms:
        return
    waits.armed_ms = 0
    if not waits.asked_ms:
        return
    silent_ms = work.now_ms - waits.asked_ms
    about = _About(f"executor/{flow}", flow)
    next_ms = work.now_ms + min(max(LOOK_MS, silent_ms), LOOK_MOST_MS)
    for alert in work.flows.alerts():
        if alert.silent_ms is None:
            continue
        if silent_ms < alert.silent_ms:
            next_ms = min(next_ms, waits.asked_ms + alert.silent_ms)
            continue
        waits.silent = True
        text = (
            f"The executor of {flow} has said nothing since it was given orders at "
            f"{shown_instant(waits.asked_ms)}"
        )
        since_ms, mark = waits.asked_ms + alert.silent_ms, alert.silent_ms / 1000
        _start(work, alert, about, since_ms, silent_ms / 1000, mark, text, silent=True)
    _arm(work, flow, next_ms)


def _arm(work: Work, flow: str, at_ms: int) -> None:
    work.executions(flow).armed_ms = at_ms
    work.wake(at_ms, key("i", flow))


def _shortest(work: Work) -> int:
    spans = (each.silent_ms for each in work.flows.alerts() if each.silent_ms is not None)
    return min(spans, default=LOOK_MS)


def _start(
    work: Work,
    alert: CampaignAlert,
    about: _About,
    since_ms: int,
    value: float,
    mark: float,
    text: str,
    silent: bool = False,
) -> None:
    row_key = key("a", alert.name, about.subject)
    if work.book.get(row_key) is not None:
        return
    day = None if about.day is None else days.day_text(about.day)
    slot = None if about.slot is None else days.slot_shown(about.slot)
    raised = Raised(
        alert.name, about.flow, about.request_id, day, slot,
        since_ms, value, mark, text, work.now_ms + KEPT_MS, silent,
    )  # fmt: skip
    work.book.put(row_key, encode(raised))
    _tell(work, about.subject, raised, "started")
    if not silent:
        work.wake(raised.until_ms, row_key)


def _end(work: Work, name: str, subject: str, raised: Raised) -> None:
    work.book.delete(key("a", name, subject))
    _tell(work, subject, raised, "ended")


def _tell(work: Work, subject: str, raised: Raised, state: str) -> None:
    """To the topic, and to people as the document has them now: one message of each id."""
    record = _message(raised, state)
    work.book.send(ALERTS, raised.alert.encode(), record)
    for alert in work.flows.alerts():
        if alert.name == raised.alert:
            id = f"{alert.name}/{subject}/{raised.since_ms}/{state}"
            told = (alert.to, alert.sms, alert.webhook)
            notices.tell(work.book, TOLD, id, record, told, work.now_ms)


def _message(raised: Raised, state: str) -> dict[str, Any]:
    return {
        "alert": raised.alert,
        "flow": raised.flow,
        "request_id": raised.request_id,
        "day": raised.day,
        "slot": raised.slot,
        "state": state,
        "value": raised.value,
        "mark": raised.mark,
        "since": shown_instant(raised.since_ms),
        "text": raised.text,
    }


def _rows(book: Book) -> Iterator[tuple[str, str, Raised]]:
    after, prefix = b"", b"a/"
    while rows := book.scan(prefix, after):
        for row_key, raw in rows:
            yield *_named(row_key), decode(Raised, raw)
        after = rows[-1][0]


def _named(row_key: bytes) -> tuple[str, str]:
    """(alert, what about) of a row."""
    _, name, subject = row_key.decode().split("/", 2)
    return name, subject


def alerts_json(book: Book) -> list[dict[str, Any]]:
    """The alerts that have started in this shard and not ended, as on the topic."""
    return [_message(raised, "started") for _, _, raised in _rows(book)]
