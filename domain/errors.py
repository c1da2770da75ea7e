"""The errors of the product: types with data, each of which makes its own sentence.

A sentence says what happened, where, and what would be right. Nothing parses the text: who
handles an error reads its class and attributes.
"""

from typing import ClassVar, Literal

Reason = Literal[
    "undecodable",  # the bytes are no JSON object
    "too_large",  # the record is above the limit of its topic
    "missing_group_field",  # a group or period field, or the zone to read it in, is absent
    "not_a_number",  # a number is wanted and something else is there
    "not_an_instant",  # an instant is wanted and something else is there
    "no_timeout",  # the record's own timeout field is absent and there is no default
    "missing_event_id",  # the aggregator drops duplicates and the record has no id
    "refused_document",  # a control message that does not validate
    "unknown_request",  # no campaign of that request
    "unknown_execution",  # no order of that id was ever sent
    "bad_event",  # an event about campaigns that lacks what it needs
]
"""Why a record became a dead letter."""


class SluiceError(Exception):
    """The base of every error the product raises on purpose.

    `exit_code` is what the command line ends with: 1 found wrong, 2 used wrong, 3 not reachable.
    """

    exit_code: ClassVar[int] = 1


class Reject(SluiceError):
    """One record can't be applied: it becomes a dead letter and the stream goes on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class UsageError(SluiceError):
    """A command was used wrong (exit 2)."""

    exit_code = 2

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)


class Unreachable(SluiceError):
    """Something outside does not answer (exit 3). `remedy` is what a person can do about it."""

    exit_code = 3

    def __init__(self, where: str, detail: str, remedy: str = "") -> None:
        self.where = where
        self.detail = detail
        self.remedy = remedy
        sentence = f"{where} is not reachable: {detail}"
        super().__init__(f"{sentence}\n{remedy}" if remedy else sentence)


class Fatal(SluiceError):
    """This process can't go on and ends; `remedy` is what the operator does next."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


class Fenced(Fatal):
    """Another process writes to a partition that was ours: nothing of ours may follow."""

    def __init__(self, topic: str, partition: int, detail: str) -> None:
        self.topic = topic
        self.partition = partition
        self.detail = detail
        super().__init__(
            f"lost {topic} partition {partition} to another writer: {detail}",
            "the worker starts afresh and takes what the group assigns to it",
        )


class Invariant(Fatal):
    """Something that must always hold does not: the worker stops before figures go wrong."""

    def __init__(
        self,
        rule: str,
        detail: str,
        remedy: str = "stop, keep the data directory as it is, and report this with the message",
    ) -> None:
        self.rule = rule
        self.detail = detail
        super().__init__(f"broken invariant ({rule}): {detail}", remedy)
