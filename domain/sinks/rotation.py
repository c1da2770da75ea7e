"""When a file is complete, and what it is called.

The name tells the position: `SINK.TOPIC.PARTITION-FIRST-END.jsonl` holds what the sink takes of the
offsets from FIRST to before END, in order. So a name has one content, whoever writes the file, and
two complete files of a partition never overlap.
"""

import re
from dataclasses import dataclass

from domain.sinks.document import Rotate

_NAME = re.compile(r"(?P<stem>.+)-(?P<first>[0-9]{20})-(?P<end>[0-9]{20})\.(?:jsonl|parquet)")


@dataclass(frozen=True)
class Filled:
    """What is in a file so far. `begun_ms`: when its first record was written."""

    bytes: int
    records: int
    begun_ms: int


def complete(rotate: Rotate, filled: Filled, now_ms: int) -> bool:
    """Whether the file is complete: large enough, or old enough. An empty one never is."""
    if filled.records == 0:
        return False
    return (
        (rotate.bytes is not None and filled.bytes >= rotate.bytes)
        or (rotate.records is not None and filled.records >= rotate.records)
        or (rotate.seconds is not None and now_ms >= filled.begun_ms + rotate.seconds * 1000)
    )


def stem(sink: str, topic: str, partition: int) -> str:
    """What the names of one partition's files begin with."""
    return f"{sink}.{topic}.{partition:05d}"  # a sink's name has no point in it


def file_name(beginning: str, first: int, end: int, extension: str) -> str:
    """The name of the complete file of offsets `first` to before `end`."""
    return f"{beginning}-{first:020d}-{end:020d}.{extension}"


def read_name(name: str) -> tuple[str, int, int] | None:
    """(stem, first, end) of the name of a complete file; None for any other name."""
    found = _NAME.fullmatch(name)
    return None if found is None else (found["stem"], int(found["first"]), int(found["end"]))
