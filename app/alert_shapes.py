"""The shapes in which the running system tells of alerts and digests; as app/shapes.py."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import SluiceError


@dataclass(frozen=True)
class AlertStatus:
    """An alert and one of its subjects: a metric or a source. `value`: of its last change,
    `since_ms`: of its last start, 0 without; `silent_until_ms`: nobody is told before. `text`: of
    its last start or end, at `told_ms`."""

    name: str
    about: str
    subject: str
    mark: float
    started: bool
    since_ms: int
    value: float | None
    acknowledged_by: str
    silent_until_ms: int
    text: str = ""
    told_ms: int = 0


class DigestRefused(SluiceError):
    """A digest that can't be sent as it is asked to be (409), and why."""

    def __init__(self, name: str, detail: str) -> None:
        self.name, self.detail = name, detail
        super().__init__(f"digest {name} is not sent: {detail}")


@dataclass(frozen=True)
class WaitingMail:
    """A mail that the mail server has not taken yet; detail: what it said, "" before a try."""

    id: str
    to: str
    detail: str


@dataclass(frozen=True)
class DigestStatus:
    """A digest in force. at: a time of the day in `timezone`. first: the first day of the period
    told of last by itself, at `sent_ms`; "" and 0 before that."""

    name: str
    every: str
    at: str
    timezone: str
    to: Sequence[str]
    first: str
    sent_ms: int
    next_ms: int
    waiting: Sequence[WaitingMail]


@dataclass(frozen=True)
class DigestSent:
    """A digest that somebody asked for. first, last: the days that it is about."""

    id: str
    name: str
    first: str
    last: str
    to: Sequence[str]
