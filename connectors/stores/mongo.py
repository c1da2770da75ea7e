"""FDDs and campaigns in MongoDB: collections `fdds` and `campaigns`.

A document is the value with `_id`, `_version`, and in `fdds` what the indexes need besides:
`_place` (see shapes.order_of) and `_starts`. One that was deleted has `_gone` instead of a value.
Acknowledged is what a majority has in its journal.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from bson import decode
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from connectors.stores.alike import as_bson
from connectors.stores.base import (
    FddCount,
    FddFilter,
    Lease,
    Made,
    Page,
    Started,
    Value,
    Write,
)
from connectors.stores.mongo_client import LONG_S, MongoClient
from connectors.stores.shapes import (
    check_made,
    cursor_of,
    erased,
    newest,
    order_of,
    order_span,
    page_limit,
    place_of,
    starts_of,
)
from connectors.stores.started import by_start

Document = dict[str, Any]
CHUNK = 1_000  # writes of one call: each has the time limit for itself
_DUPLICATE = 11000
_INNER = frozenset({"_id", "_version", "_place", "_starts", "_gone"})

# Each query below names the index that it is for.
OF_REQUEST = IndexModel([("request_id", 1), ("_place", 1)], name="of_request")
BY_STATE = IndexModel([("request_id", 1), ("state", 1), ("_place", 1)], name="by_state")
OF_NUMBER = IndexModel([("number", 1), ("_place", 1), ("_id", 1)], name="of_number")
BY_START = IndexModel([("_starts", 1)], name="by_start")
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "fdds": (OF_REQUEST, BY_STATE, OF_NUMBER, BY_START),
    "campaigns": (),
}


class MongoDocuments:
    """See `Documents`. `url`: mongodb://…/DATABASE; nothing is asked of the server before the first
    call, which also makes the indexes."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self._client = MongoClient(url, INDEXES, timeout_s)

    async def write(self, writes: Sequence[Write]) -> None:
        """See `Documents`. What is new is inserted, which the unique id guards, and what is older
        replaced, which the version in the filter guards: an upsert that does both takes the server
        three times as long, and one that comes too late most of all."""
        for kind, newer in newest(writes, INDEXES).items():
            for at in range(0, len(newer), CHUNK):
                await self._write(kind, newer[at : at + CHUNK])

    async def _write(self, kind: str, writes: Sequence[Write]) -> None:
        """Again as long as somebody else writes the same ids in between."""
        while True:
            async with self._client.collection(kind) as collection:
                ids = [write.id for write in writes]
                found = collection.find({"_id": {"$in": ids}}, {"_version": 1})
                stored = {each["_id"]: each["_version"] for each in await found.to_list()}
                writes = [each for each in writes if stored.get(each.id, -1) < each.version]
                if not writes or await _put(kind, writes, stored, collection):
                    return

    async def make(self, made: Sequence[Made]) -> None:
        """See `Documents`. They are inserted unseen; what is there already, or a newer one, is
        looked at as any write is."""
        for each in made:
            check_made(each)
        parts = chain.from_iterable(map(as_bson, made))
        for _ in range(0, sum(len(each.records) for each in made), CHUNK):
            left = await self._insert(islice(parts, CHUNK))
            if left:
                values = [decode(each.raw) for each in left]
                writes = [Write("fdds", v["_id"], v["_version"], _value(v)) for v in values]
                await self._write("fdds", writes)

    async def _insert(self, parts: Iterable[bytes]) -> list[RawBSONDocument]:
        """Those to be looked at one by one, because some are there already; else none."""
        async with self._client.collection("fdds") as collection:
            documents = [RawBSONDocument(each) for each in parts]
            try:
                await collection.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if not _is_there(error):
                    raise
                return documents
        return []

    async def lease(self, lease: Lease) -> None:
        """See `Documents`. The server makes the values: the ids are all that it is sent."""
        ident = {"$concat": ["$_id", f".{lease.attempt['attempt']}"]}
        attempt = {"execution_id": ident, **{k: {"$literal": v} for k, v in lease.attempt.items()}}
        told: Document = {"_version": lease.version, "state": "LEASED", "reason": None}
        change: Document = {k: {"$literal": v} for k, v in told.items()} | {"attempts": [attempt]}
        for at in range(0, len(lease.ids), CHUNK):
            older = {"_id": {"$in": list(lease.ids[at : at + CHUNK])}}
            older["_version"] = {"$lt": lease.version}  # type: ignore[dict-item]  # a filter
            async with self._client.collection("fdds") as collection:
                await collection.update_many(older, [{"$set": change}])

    async def fdd(self, ident: str) -> Value | None:
        """See `Documents`."""
        return await self._one("fdds", ident)

    async def campaign(self, request_id: str) -> Value | None:
        """See `Documents`."""
        return await self._one("campaigns", request_id)

    async def _one(self, kind: str, ident: str) -> Value | None:
        async with self._client.collection(kind) as collection:
            found = await collection.find_one({"_id": ident})
        return None if found is None or found.get("_gone") else _value(found)

    async def campaigns(self, cursor: str | None = None, limit: int = 100) -> Page:
        """See `Documents`."""
        after = place_of(cursor, 1)[0] if cursor else ""
        limit = page_limit(limit)
        query = {"_id": {"$gt": after}, "_gone": {"$ne": True}}
        async with self._client.collection("campaigns") as collection:
            found = collection.find(query).sort("_id", ASCENDING).limit(limit + 1)
            return _page(await found.to_list(), limit, "_id")

    async def find_fdds(
        self, wanted: FddFilter, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """See `Documents`. With several states, the server walks the index of each and merges."""
        first, end = order_span(wanted.day, wanted.slot)
        after = place_of(cursor, 1)[0] if cursor else ""
        limit = page_limit(limit)
        query: Document = {"request_id": wanted.request_id}
        query["_place"] = {"$gte": first, "$lt": end, "$gt": after}
        index = OF_REQUEST
        if wanted.slot is not None:
            query["slot"] = wanted.slot or None
        if wanted.states is not None:
            query["state"] = {"$in": list(wanted.states)}
            index = BY_STATE
        if wanted.number is not None:
            query["number"] = wanted.number
            index = OF_NUMBER
        if wanted.reasons is not None:
            other = {"state": {"$ne": "FAILED"}}
            query["$or"] = [other, {"reason": {"$in": list(wanted.reasons)}}]
        return await self._list(query, [("_place", 1)], index, limit, "_place")

    async def find_by_number(
        self, number: str, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """See `Documents`."""
        limit = page_limit(limit)
        query: Document = {"number": number}
        if cursor:
            place, ident = place_of(cursor, 2)
            query["_place"] = {"$lte": place}
            query["$or"] = [{"_place": {"$lt": place}}, {"_id": {"$lt": ident}}]
        return await self._list(
            query, [("_place", -1), ("_id", -1)], OF_NUMBER, limit, "_place", "_id"
        )

    async def _list(
        self, query: Document, order: list[tuple[str, int]], index: IndexModel, limit: int,
        *place: str,
    ) -> Page:  # fmt: skip
        async with self._client.collection("fdds") as collection:
            found = collection.find(query).sort(order).hint(index.document["name"])
            return _page(await found.limit(limit + 1).to_list(), limit, *place)

    def started(
        self, begin_ms: int, end_ms: int, request_id: str | None = None
    ) -> AsyncIterator[Started]:
        """See `Documents`."""
        own = {} if request_id is None else {"request_id": request_id}

        async def look(first_ms: int, until_ms: int, most: int | None) -> list[Value]:
            span = {"$elemMatch": {"$gte": first_ms, "$lt": until_ms}}
            async with self._client.collection("fdds") as collection:
                found = collection.find({"_starts": span, **own}).hint("by_start")
                return [_value(each) for each in await found.limit(most or 0).to_list()]

        return by_start(look, begin_ms, end_ms)

    async def counts(self, request_id: str, day: str | None = None) -> list[FddCount]:
        """See `Documents`."""
        first, end = order_span(day, None)
        group: Document = {name: f"${name}" for name in ("date", "slot", "state", "reason")}
        group["reached"] = {"$ne": ["$_starts", []]}
        stages: list[Document] = [
            {"$match": {"request_id": request_id, "_place": {"$gte": first, "$lt": end}}},
            {"$group": {"_id": group, "count": {"$sum": 1}}},
        ]
        async with self._client.collection("fdds", LONG_S) as collection:
            found = await collection.aggregate(stages, hint="of_request", allowDiskUse=True)
            return [FddCount(**each["_id"], count=each["count"]) async for each in found]

    async def erase(self, number: str) -> int:
        """See `Documents`. In steps, each durable by itself."""
        count = 0
        async with self._client.collection("fdds", LONG_S) as collection:
            while found := await self._some({"number": number}, OF_NUMBER, collection):
                count += await self._erase(found, collection)
        return count

    async def erase_before(self, request_id: str, day: str) -> int:
        """See `Documents`. In steps, each durable by itself."""
        count, after = 0, ""
        while True:
            query = {"request_id": request_id, "_place": {"$gt": after, "$lt": f"{day}/"}}
            async with self._client.collection("fdds") as collection:
                found = await self._some(query, OF_REQUEST, collection)
                if not found:
                    return count
                named = [each for each in found if each.get("number") is not None]
                count += await self._erase(named, collection)
            after = found[-1]["_place"]

    async def _some(
        self, query: Document, index: IndexModel, collection: AsyncCollection[Document]
    ) -> list[Document]:
        found = collection.find(query).sort("_place", 1).hint(index.document["name"])
        return await found.limit(CHUNK).to_list()

    async def _erase(
        self, documents: Sequence[Document], collection: AsyncCollection[Document]
    ) -> int:
        """How many of them had a number till now."""
        if not documents:
            return 0
        requests = []
        for document in documents:
            left = erased(document)
            gone = dict.fromkeys(document.keys() - left.keys(), "")
            update: Document = {"$set": {"number": None}}
            if gone:
                update["$unset"] = gone
            requests.append(UpdateOne({"_id": document["_id"]}, update))
        return (await collection.bulk_write(requests, ordered=False)).modified_count

    async def forget(self, request_id: str) -> int:
        """See `Documents`."""
        async with self._client.collection("fdds", LONG_S) as collection:
            done = await collection.delete_many({"request_id": request_id}, hint="of_request")
        async with self._client.collection("campaigns") as collection:
            await collection.delete_one({"_id": request_id})
        return done.deleted_count

    async def check(self) -> None:
        """See `Documents`."""
        async with self._client.collection("campaigns") as collection:
            await collection.find_one({"_id": ""})

    async def close(self) -> None:
        """See `Documents`."""
        await self._client.close()


async def _put(
    kind: str,
    writes: Sequence[Write],
    stored: Mapping[str, int],
    collection: AsyncCollection[Document],
) -> bool:
    """Whether all of them, or newer ones, are in; else somebody else has inserted one of the ids.
    `stored`: the versions that were there just now."""
    new = [_document(kind, each) for each in writes if each.id not in stored]
    older = [
        ReplaceOne({"_id": each.id, "_version": {"$lt": each.version}}, _document(kind, each))
        for each in writes
        if each.id in stored
    ]
    try:
        if older:
            await collection.bulk_write(older, ordered=False)
        if new:  # by itself it costs the driver half
            await collection.insert_many(new, ordered=False)
    except BulkWriteError as error:
        if not _is_there(error):
            raise
        return False
    return True  # a replacement that found nothing to replace came too late: a newer one is there


def _is_there(error: BulkWriteError) -> bool:
    """Whether an insertion failed for nothing but ids that are there already."""
    told = error.details["writeErrors"]
    return bool(told) and all(each["code"] == _DUPLICATE for each in told)


def _document(kind: str, write: Write) -> Document:
    found: Document = {"_id": write.id, "_version": write.version}
    if write.value is None:
        return {**found, "_gone": True}
    if kind == "fdds":
        found["_place"], found["_starts"] = order_of(write.value), starts_of(write.value)
    found.update(write.value)
    return found


def _value(document: Document) -> Value:
    return {key: each for key, each in document.items() if key not in _INNER}


def _page(found: list[Document], limit: int, *place: str) -> Page:
    """`found` has one more than the page if there are more."""
    items = [_value(each) for each in found[:limit]]
    if len(found) <= limit:
        return Page(items)
    return Page(items, cursor_of(*(found[limit - 1][name] for name in place)))
