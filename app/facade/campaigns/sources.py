"""What the areas about campaigns are made of, besides the worker's other parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from app.campaign_parts import CampaignParts
from connectors.stores.base import Documents, Negatives
from domain.campaigns.book import Book
from domain.campaigns.document import Flows

NOTHING: Mapping[Any, int] = MappingProxyType({})


class OpenShard(NamedTuple):
    """A campaign shard that is open here. `epoch` of its claim, `sequence` of its last commit; in
    `book` is what is committed, of this moment; nobody writes to it. `applied`: the last offset of
    each source (see `tables/ledger.py`) in it."""

    epoch: int
    sequence: int
    book: Book
    applied: Mapping[Any, int] = NOTHING


Books = Callable[[], Mapping[int, OpenShard]]
"""The campaign shards that are open here, by number."""


@dataclass(frozen=True)
class Sources:
    """`shards` in all; `flows` in force, as the rules see them."""

    shards: Callable[[], int]
    books: Books
    flows: Flows
    documents: Documents
    negatives: Negatives


def sources_of(campaigns: CampaignParts, shards: Callable[[], int]) -> Sources:
    """Those of a worker."""

    def books() -> dict[int, OpenShard]:
        return {
            number: OpenShard(
                shard.ledger.changelog.epoch,
                shard.ledger.marker.sequence,
                shard.ledger.view(),
                shard.ledger.applied,
            )
            for number, shard in campaigns.work.shards.open_ones().items()
        }

    return Sources(
        shards, books, campaigns.flows, campaigns.stores.documents, campaigns.stores.negatives
    )
