"""What the ledgers decided goes to the stores of FDDs, campaigns and negatives."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from connectors.stores.base import DocumentKind, Documents, NegativeKind, Negatives
from connectors.stores.base import Write as StoreWrite
from tables.ledger_book import Write

DOCUMENTS = ("fdds", "campaigns")

_decode = msgspec.json.Decoder().decode


class CampaignStores:
    """Both stores. Any number of shards use it at a time."""

    def __init__(self, documents: Documents, negatives: Negatives) -> None:
        self.documents = documents
        self.negatives = negatives

    async def deliver(self, writes: Sequence[Write], version: int) -> None:
        """Writes each id once; all are durable when it returns. What raised is asked for again as a
        whole. Raises StoreUnavailable, StoreRefused, BadValue."""
        parts: dict[bool, list[StoreWrite]] = {}
        for what, ident, data in writes:
            value: dict[str, Any] | None = None if data is None else _decode(data)
            kind = cast("DocumentKind | NegativeKind", what)
            parts.setdefault(what in DOCUMENTS, []).append(StoreWrite(kind, ident, version, value))
        await asyncio.gather(
            *(
                (self.documents if documents else self.negatives).write(part)
                for documents, part in parts.items()
            )
        )

    async def close(self) -> None:
        """Ends connections; what was acknowledged is durable."""
        await asyncio.gather(self.documents.close(), self.negatives.close())
