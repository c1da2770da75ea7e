"""The shape in which the running system tells of alerts; as app/shapes.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AlertStatus:
    """An alert and one of its subjects: a metric or a source. `value`: of its last change,
    `since_ms`: of its last start, 0 without; `silent_until_ms`: nobody is told before."""

    name: str
    about: str
    subject: str
    mark: float
    started: bool
    since_ms: int
    value: float | None
    acknowledged_by: str
    silent_until_ms: int
