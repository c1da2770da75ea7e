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
    Made,
    NegativeKind,
    Negatives,
)
from connectors.stores.base import Write as StoreWrite
from domain.campaigns.leases import LEASES, ids_of, leased
from domain.campaigns.made import MADE, documents_of
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
        values, leases, made = resolved(writes, version)
        parts: dict[bool, list[StoreWrite]] = {}
        for (what, ident), value in values.items():
            kind = cast("DocumentKind | NegativeKind", what)
            parts.setdefault(what in DOCUMENTS, []).append(StoreWrite(kind, ident, version, value))
        await asyncio.gather(
            *(
                (self.documents if documents else self.negatives).write(part)
                for documents, part in parts.items()
            ),
            self.documents.make(made),
            *(self.documents.lease(lease) for lease in leases),
        )

    async def close(self) -> None:
        """Ends connections; what was acknowledged is durable."""
        await asyncio.gather(self.documents.close(), self.negatives.close())


Values = dict[tuple[str, str], dict[str, Any] | None]


def resolved(writes: Sequence[Write], version: int) -> tuple[Values, list[Lease], list[Made]]:
    """(value by what and id, leases, what is made alike) of a commit's writes in their order: no
    FDD is in two of them, so that it doesn't matter which is written first. Raises BadValue."""
    values: Values = {}
    leases: list[Lease] = []
    made: list[Made] = []
    # a commit that makes and orders the same FDD, or orders it and has its result, has both
    whole = {ident for what, ident, _ in writes if what == "fdds"}
    alone = _alone(writes)
    for what, ident, data in writes:
        value: dict[str, Any] | None = None if data is None else _decode(data)
        if what not in (LEASES, MADE):
            values[what, ident] = value
            continue
        if value is None:
            raise BadValue(what, ident, "a change of many FDDs is never taken back")
        if what == MADE and value["of"] in alone:
            made.append(
                Made(value["of"], version, value["request_id"], value["shared"],
                     value["records"], value["numbers"])
            )  # fmt: skip
            continue
        if what == MADE:
            documents = documents_of(value)
            values.update((("fdds", each["id"]), each) for each in documents)
            whole.update(each["id"] for each in documents)
            continue
        ids = ids_of(value)
        if whole:
            for each in ids:
                before = values.get(("fdds", each))
                if before is not None:
                    values["fdds", each] = leased(before, each, value)
            ids = [each for each in ids if each not in whole]
        if ids:
            leases.append(Lease(ids, version, value["attempt"]))
    return values, leases, made


def _alone(writes: Sequence[Write]) -> set[str]:
    """The places (`of`) in which a commit does nothing but make FDDs alike."""
    made = {_place(ident) for what, ident, _ in writes if what == MADE}
    return made - {_place(ident) for what, ident, _ in writes if what in ("fdds", LEASES)}


def _place(fdd_id: str) -> str:
    return fdd_id.rpartition(".")[0] + "."
