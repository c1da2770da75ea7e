"""Examples for somebody's first look: documents, and a gentle flow of records for them.

Both are marked: the documents are named `example-…` and applied by "sluice examples", the records
carry `"example": true` and a header.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import config
from app.backend import Unavailable
from app.facade.documents import EXAMPLES
from app.facade.facade import Facade
from app.shapes import Change
from config.clock import Clock
from config.documents.reading import read_documents
from connectors.streams.base import Row, StreamError
from domain.aggregation.flush import to_json
from domain.aggregation.instants import print_instant

logger = logging.getLogger(__name__)
FOLDER = Path(config.__file__).parent / "examples"
PAUSE_S = 1.0  # real time: a trial clock may stand still
RECORDS = 3  # after each pause
HEADERS = (("example", b"true"),)
PRODUCTS = ("mobile", "fixed", "roaming")
_START_S = 20.0  # between two tries to apply what could not be applied


def documents() -> list[dict[str, Any]]:
    """The example documents."""
    return [body for path in sorted(FOLDER.glob("*.yaml")) for body, _ in read_documents(path)]


async def run(facade: Facade, clock: Clock) -> None:
    """Applies the documents that never were applied here, then sends records for ever, as long as
    one of them is in force as it was."""
    while not await _applied(facade):
        await asyncio.sleep(_START_S)
    chance = random.Random()
    failing = False
    while True:
        await asyncio.sleep(PAUSE_S)
        inputs = {
            str((document.body or {}).get("input", "usage"))
            for document in await facade.documents("aggregator")
            if document.example
        }
        try:
            for topic in sorted(inputs):
                await facade.append_records(topic, _records(chance, clock.now_ms()), None)
            failing = False
        except StreamError as error:
            if not failing:
                logger.warning("no example records for now: %s", error)
            failing = True


async def _applied(facade: Facade) -> bool:
    """Applies those that never were; False when it has to be tried again."""
    change = Change(EXAMPLES, "examples for a first look")
    for body in documents():
        kind, name = str(body["kind"]), str(body["name"])
        try:
            if not await facade.versions(kind, name):
                await facade.put_document(kind, name, body, change, 0.0)
        except (StreamError, Unavailable) as error:
            logger.warning("the examples are not applied yet: %s", error)
            return False
    return True


def _records(chance: random.Random, now_ms: int) -> Sequence[Row]:
    return [_row(_record(chance, now_ms)) for _ in range(RECORDS)]


def _row(record: dict[str, Any]) -> Row:
    return str(record["account"]).encode(), to_json(record), None, HEADERS


def _record(chance: random.Random, now_ms: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "example": True,
        "id": uuid4().hex,
        "account": f"example-{chance.randrange(12):02}",
        "cell": f"cell-{chance.randrange(5)}",
        "timestamp": print_instant(now_ms),
    }
    if chance.random() < 0.7:
        volume = chance.randrange(1_000, 50_000_000)
        return record | {
            "type": "data",
            "product": {"code": chance.choice(PRODUCTS)},
            "bytes": volume,
            "price": _cents(volume // 500_000),
        }
    seconds = int(chance.expovariate(1 / 240)) + 1
    return record | {"type": "call", "seconds": seconds, "price": _cents(seconds // 6)}


def _cents(number: int) -> Any:
    from decimal import Decimal

    return Decimal(number).scaleb(-2)
