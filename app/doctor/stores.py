"""The stores and places of files that the settings name: each is asked."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from app.cli.command import Context
from app.doctor.check import Check, one_line
from config.readers import masked
from config.settings import SETTINGS
from domain.errors import SluiceError

S3 = "s3://"
PLACES = ("archive", "tables_root", "impressions_incoming")


class Store(Protocol):
    """What the stores have in common."""

    async def check(self) -> None:
        """Whether it answers."""

    async def close(self) -> None:
        """Ends its connections."""


def stores(context: Context) -> Iterator[Check]:
    """All of them."""
    yield documents_store(context)
    yield negatives_store(context)
    yield from places(context)


def documents_store(context: Context) -> Check:
    """Whether the store of FDDs and campaigns answers."""
    from connectors.stores.opening import open_documents

    address = context.settings.documents
    todo = (
        "start it, or set SLUICE_DOCUMENTS to its address with a user and password that it takes; "
        "the user needs readWrite on the database"
    )
    return _store("documents store", address, lambda: open_documents(address, Path()), todo)


def negatives_store(context: Context) -> Check:
    """Whether the store of negative numbers answers."""
    from connectors.stores.opening import open_negatives

    address = context.settings.negatives
    todo = (
        "start it, or set SLUICE_NEGATIVES to its address with a user and password that it takes; "
        "the database must be there, and the user needs CREATE, SELECT, INSERT, UPDATE and DELETE "
        "on it"
    )
    return _store("negatives store", address, lambda: open_negatives(address, Path()), todo)


def _store(name: str, address: str, opened: Callable[[], Store], todo: str) -> Check:
    if not address:
        return Check(name, "ok", "SQLite in the data directory")

    async def ask() -> None:
        store = opened()
        try:
            await store.check()
        finally:
            await store.close()

    try:
        asyncio.run(ask())
    except SluiceError as error:
        return Check(name, "wrong", one_line(error), todo)
    return Check(name, "ok", f"{masked(address)} answers")


def places(context: Context) -> Iterator[Check]:
    """Whether the buckets that hold files answer, and may be listed."""
    from connectors.files.opening import open_files, s3_access

    for name in PLACES:
        address = getattr(context.settings, name)
        if not address.startswith(S3):
            continue
        variable = SETTINGS[name].env
        try:
            next(iter(open_files(address, s3_access(context.settings)).list()), None)
        except SluiceError as error:
            todo = (
                f"see that {variable} names a bucket that is there, that SLUICE_S3_ENDPOINT "
                "answers, and that the keys may list, read, write and delete in it"
            )
            yield Check("files", "wrong", f"{variable}: {one_line(error)}", todo)
        else:
            yield Check("files", "ok", f"{address} answers")
