"""A worker of a version that writes its changelog in a later format, for going there and back.

`SLUICE_TEST_FORMATS`: unset, the version that there is. `next`: one whose format is 3, each body
with a byte before it. `back`: that one again, told to write format 2; when it has opened a shard it
writes all of it once more, as docs/operations.md tells under Upgrades.
"""

import asyncio
import os
import sys

import app.session_parts
import tables.recovery
from domain.errors import Invariant
from tables.formats import SHARD, Formats
from tables.layout import BLOCK, COMMAND, GONE, MARKS, ROW
from tables.shard import Shard
from tests.faults.worker_process import main

PIECE = 500
AHEAD = b"\2"


def _add(_key: bytes, body: bytes) -> bytes:
    return AHEAD + body


def _strip(_key: bytes, body: bytes) -> bytes:
    if body[:1] != AHEAD:
        raise Invariant("a body of format 3 has its byte", repr(body[:20]))
    return body[1:]


# What is in memory and on disk is what this code reads: it stands as format 4, never written.
LATER = Formats(4, {1: SHARD.steps[1], 2: _add, 3: _strip})
NEXT = LATER.writing(3, {3: _add})
BACK = LATER.writing(2, {3: _add, 2: _strip})
FORMATS = {"next": NEXT, "back": BACK}


async def write_again(shard: Shard) -> None:
    """Writes every record of the shard's changelog once more. What is to be sent is sent by now:
    the rows on disk carry none of it."""
    changelog = shard.changelog
    if changelog is None or next(iter(shard.outbox()), None) is not None:
        raise Invariant("a shard that is written again has sent everything", f"{shard.number}")
    for kind in (BLOCK, COMMAND, GONE, ROW):
        at, end = kind, bytes([kind[0] + 1])
        while piece := list(shard.store.scan(at, end, PIECE)):
            at = piece[-1][0] + b"\0"
            await changelog.append(piece)
    (marks,) = shard.store.get_many([MARKS])
    if marks is not None:
        await changelog.append([(MARKS, marks)])
    shard.store.write([(b"l", shard.local())])


def patch(told: str) -> None:
    """Makes this process one of that version."""
    formats = FORMATS[told]
    vars(app.session_parts)["SHARD"] = formats
    vars(tables.recovery)["SHARD"] = formats
    if told == "back":
        opened = Shard.open

        async def open_and_write(shard: Shard) -> None:
            await opened(shard)
            await write_again(shard)

        Shard.open = open_and_write  # type: ignore[method-assign, assignment]  # it is made for this


if __name__ == "__main__":
    wanted = os.environ.get("SLUICE_TEST_FORMATS", "")
    if wanted:
        patch(wanted)
    sys.exit(asyncio.run(main()))
