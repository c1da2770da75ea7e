"""The sentence on top of the Overview: the answer to "is all well?" in words and a number."""

from dataclasses import dataclass
from typing import Literal

from app.shapes import Overview
from app.web.words import relative, some, span


@dataclass(frozen=True)
class Sentence:
    """`state` decides the sign beside it: all well, look, or act."""

    text: str
    state: Literal["good", "warn", "bad"]


def overview_sentence(found: Overview) -> Sentence:
    """What an operator needs to know first."""
    parts = [_progress(found), _sessions(found)]
    if found.troubles:
        things = "One thing needs" if len(found.troubles) == 1 else "Several things need"
        return Sentence(f"{things} you. {' '.join(parts)}", "bad")
    return Sentence(" ".join(parts), "warn" if found.behind else "good")


def _progress(found: Overview) -> str:
    if not found.behind:
        if found.partitions == 1:
            return "The one partition is caught up."
        return f"All {found.partitions:,} partitions caught up."
    text = f"{found.behind:,} of {some(found.partitions, 'partition')} behind by "
    text += f"{some(found.lag_records, 'record')} ({span(found.lag_s)})"
    if found.drain_s is not None:
        text += f", caught up in {span(found.drain_s)}"
    return text + "."


def _sessions(found: Overview) -> str:
    if not found.aggregators and not found.open_sessions:
        return "No aggregator yet."
    text = some(found.open_sessions, "open session")
    if found.overdue:
        return f"{text}, {found.overdue:,} due now."
    if found.next_due_ms is not None:
        return f"{text}, next flush {relative(found.next_due_ms, found.now_ms)}."
    return f"{text}, nothing due."
