"""A connection to MongoDB: limits of time, indexes, what its errors mean."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pymongo
from bson.errors import BSONError
from pymongo import AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from connectors.stores.base import StoreRefused, StoreUnavailable
from domain.errors import UsageError

DATABASE = "sluice"  # for an address without one
LONG_S = 600.0  # for what reads all FDDs of a request
SELECT_S = 3.0  # to find a server that takes writes
POOL = 20
SHOWN = 300  # characters of what the driver says
# Codes of a server that is there and never will do it: bad values, unknown operators and fields,
# keys it has already, documents too large or too deep.
_FOR_GOOD = frozenset(
    {2, 9, 14, 15, 22, 40, 52, 54, 56, 66, 121, 10334, 11000, 17280, 17419, 17420}
)

# Who dropped the database, or put another one there, dropped the index that a query names.
_NO_INDEX = frozenset({2, 27})


class MongoClient:
    """See the module. Connects when it is first used, and again whenever it has to."""

    def __init__(
        self, url: str, indexes: Mapping[str, Sequence[IndexModel]], timeout_s: float
    ) -> None:
        self.where = _where(url)
        self._indexes = indexes
        self._timeout_s = timeout_s
        self._made: asyncio.Lock | None = asyncio.Lock()  # None when the indexes are there
        try:
            self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                url,
                serverSelectionTimeoutMS=int(min(SELECT_S, timeout_s) * 1000),
                connectTimeoutMS=int(min(SELECT_S, timeout_s) * 1000),
                maxPoolSize=POOL,
                appname="sluice",
                tz_aware=False,
            )
            concern = WriteConcern(w="majority", j=True)
            self._database: AsyncDatabase[dict[str, Any]] = self._client.get_default_database(
                DATABASE, write_concern=concern
            )
        except (ConfigurationError, InvalidURI, ValueError) as error:
            raise UsageError(
                f"SLUICE_DOCUMENTS is no address of MongoDB: {_short(error, url)}",
                "write it as mongodb://USER:PASSWORD@HOST:27017/DATABASE",
            ) from None

    @asynccontextmanager
    async def collection(
        self, name: str, timeout_s: float | None = None
    ) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
        """The collection, for calls that take `timeout_s` together at most. Errors in the block
        become StoreUnavailable or StoreRefused."""
        try:
            with pymongo.timeout(timeout_s or self._timeout_s):
                await self._ensure_indexes()
                yield self._database[name]
        except (BSONError, DocumentTooLarge, OverflowError) as error:
            raise StoreRefused(self.where, _short(error)) from error
        except OperationFailure as error:
            if error.code in _NO_INDEX:
                self._made = asyncio.Lock()
                raise StoreUnavailable(self.where, "its indexes are made again") from error
            if _for_good(error):
                raise StoreRefused(self.where, _short(error)) from error
            raise StoreUnavailable(self.where, _short(error)) from error
        except (PyMongoError, OSError) as error:
            raise StoreUnavailable(self.where, _short(error)) from error

    async def _ensure_indexes(self) -> None:
        """The same however often and by however many at a time."""
        if self._made is None:
            return
        async with self._made:
            with pymongo.timeout(LONG_S):
                for name, indexes in self._indexes.items():
                    if indexes:
                        await self._database[name].create_indexes(list(indexes))
        self._made = None

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()


def _for_good(error: OperationFailure) -> bool:
    if isinstance(error, WriteConcernError):
        return False
    if isinstance(error, BulkWriteError):
        told = error.details.get("writeErrors") or []
        return any(each.get("code") in _FOR_GOOD for each in told)
    return error.code in _FOR_GOOD


def _where(url: str) -> str:
    """The address as it may be shown: without who signs in, and how."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _short(error: Exception, secret: str = "") -> str:
    """What the driver says; its descriptions of a cluster are long, those of a bad address might
    repeat it."""
    text = " ".join(str(error).split())
    if secret and secret in text:
        return type(error).__name__
    if isinstance(error, BulkWriteError):
        told = error.details.get("writeErrors") or error.details.get("writeConcernErrors") or []
        text = "; ".join(str(each.get("errmsg")) for each in told[:2]) or text
    return text[:SHOWN].partition(", Timeout: ")[0] or type(error).__name__
