"""Waiting for what is out of service (see `tables/out_of_service.py`): nothing is acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from agents.shards import NotOwned, Shards
from tables.documents import Documents
from tables.out_of_service import OutOfService

logger = logging.getLogger(__name__)
LOOK_S = 0.2
Part = tuple[int, int, int]
"""(first offset, end offset, revision) of records that are routed alike."""


async def until_served(
    documents: Documents,
    topic: str,
    partition: int,
    by_revision: Callable[[], Awaitable[list[Part]]],
    still: Callable[[], bool],
) -> list[Part]:
    """What `by_revision` gives, when all that take from the topic at those revisions can be
    followed. Raises NotOwned when the batch isn't ours any more.
    """
    told = False
    while True:
        parts = await by_revision()
        why = (documents.held(topic, revision) for *_, revision in parts)
        lost = next((one for one in why if one is not None), None)
        if lost is None:
            return parts
        if not told:
            logger.warning("%s partition %d waits: %s", topic, partition, lost)
            told = True
        if not still():
            raise NotOwned(partition)
        await asyncio.sleep(LOOK_S)


async def hold(
    lost: OutOfService, shards: Shards[Any], number: int, still: Callable[[], bool]
) -> NoReturn:
    """A shard has sessions, or records, of a version that can't be read: its stream waits for a
    release that can. What is due of other documents goes on.
    """
    logger.warning("shard %d waits: %s", number, lost)
    await shards.again(number)
    while still():
        await asyncio.sleep(LOOK_S)
    raise NotOwned(number)
