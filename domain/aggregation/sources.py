"""Where replayed records stand among a session's sources.

The last offset of a source is also the mark at or below which records of that input partition need
no further look. A replayed record must not move that mark: records before it may still be on their
way. So replayed records of partition p stand under a number of their own, below zero, from which
the input partition can be told.
"""

_APART = 1 << 32  # above every partition


def replayed(partition: int) -> int:
    """Under what the replayed records of an input partition stand."""
    return ~partition


def apart(partition: int) -> int:
    """Under what one of them stands while it is folded: no position is known there."""
    return ~(partition | _APART)


def input_partition(number: int) -> int:
    """The input partition of a source, whichever of the three numbers it stands under."""
    return number if number >= 0 else ~number & (_APART - 1)
