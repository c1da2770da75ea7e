"""What the ledgers decided goes to the stores of FDDs, campaigns and negatives."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from connectors.stores.base import (
    BadValue,
    DocumentKind,
    Documents,
    Lease,
    NegativeKind,
    Negatives,
)
from connectors.stores.base import Write as StoreWrite
from domain.campaigns.leases import LEASES, ids_of, leased
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
        values, leases = resolved(writes, version)
        parts: dict[bool, list[StoreWrite]] = {}
        for (what, ident), value in values.items():
            kind = cast("DocumentKind | NegativeKind", what)
            parts.setdefault(what in DOCUMENTS, []).append(StoreWrite(kind, ident, version, value))
        await asyncio.gather(
            *(
                (self.documents if documents else self.negatives).write(part)
                for documents, part in parts.items()
            ),
            *(self.documents.lease(lease) for lease in leases),
        )

    async def close(self) -> None:
        """Ends connections; what was acknowledged is durable."""
        await asyncio.gather(self.documents.close(), self.negatives.close())


Values = dict[tuple[str, str], dict[str, Any] | None]


def resolved(writes: Sequence[Write], version: int) -> tuple[Values, list[Lease]]:
    """(value by what and id, leases) of a commit's writes in their order: no FDD is in both, so
    that it doesn't matter which is written first. Raises BadValue."""
    values: Values = {}
    leases: list[Lease] = []
    # a commit that makes and orders the same FDD, or orders it and has its result, has both
    whole = {ident for what, ident, _ in writes if what == "fdds"}
    for what, ident, data in writes:
        value: dict[str, Any] | None = None if data is None else _decode(data)
        if what != LEASES:
            values[what, ident] = value
            continue
        if value is None:
            raise BadValue(what, ident, "a change of many FDDs is never taken back")
        ids = ids_of(value)
        if whole:
            for each in ids:
                before = values.get(("fdds", each))
                if before is not None:
                    values["fdds", each] = leased(before, each, value)
            ids = [each for each in ids if each not in whole]
        if ids:
            leases.append(Lease(ids, version, value["attempt"]))
    return values, leases
