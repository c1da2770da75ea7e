"""What each reason of a dead letter means and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """`title` as people call it, what it `means`, what `todo`."""

    title: str
    means: str
    todo: str


EXPLANATIONS: Mapping[str, Explanation] = {
    "undecodable": Explanation(
        "Not readable",
        "The bytes are no JSON object, so no aggregator could look at the record.",
        "Look at the bytes below and correct the producer. The record counts nowhere.",
    ),
    "too_large": Explanation(
        "Too large",
        "The record is larger than its topic admits.",
        "Make the producer split it, or raise SLUICE_MAX_RECORD_BYTES.",
    ),
    "missing_group_field": Explanation(
        "Group field missing",
        "A field that the session is grouped by is absent, or is an object or an array. "
        "The record is not guessed into a session.",
        "Correct the producer, or the group of the aggregator (null_group admits null).",
    ),
    "not_a_number": Explanation(
        "Not a number",
        "A field that is summed or compared holds something that is no JSON number. "
        "Nothing of the record was applied.",
        "Correct the producer, or aggregate another field.",
    ),
    "not_an_instant": Explanation(
        "Not a point in time",
        "A field holds no ISO 8601 date and time (a date alone or an epoch number is none).",
        "Make the producer send an instant such as 2025-11-03T04:30:00Z.",
    ),
    "no_timeout": Explanation(
        "No due time",
        "The record would open a session but says nothing usable about when it is due.",
        "Give the aggregator a default_timeout, or correct the producer.",
    ),
    "missing_event_id": Explanation(
        "Event id missing",
        "The aggregator drops duplicates by an id that this record lacks.",
        "Correct the producer, or take event_id out of the aggregator.",
    ),
    "refused_document": Explanation(
        "Refused document",
        "A control message on topic config holds a document that does not validate. "
        "What was in force stays in force.",
        "Correct the document where the detail says, and apply it again.",
    ),
    "unknown_request": Explanation(
        "Unknown request",
        "An event about a campaign that no upload has made.",
        "Correct the request_id, and send the event again.",
    ),
    "unknown_execution": Explanation(
        "Unknown execution",
        "A result of an execution that was never ordered.",
        "Correct the executor: it gets its execution_id with the order.",
    ),
    "bad_event": Explanation(
        "Event without what it needs",
        "An event about campaigns lacks something, or has it in another shape.",
        "Correct what sent it where the detail says, and send it again.",
    ),
}


def explanation(reason: str) -> Explanation:
    """The explanation of a reason; one that names it, for a reason newer than this page."""
    return EXPLANATIONS.get(reason) or Explanation(reason.replace("_", " ").capitalize(), "", "")
