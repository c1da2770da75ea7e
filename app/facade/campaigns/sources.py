"""What the areas about campaigns are made of, besides the worker's other parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connectors.stores.base import Documents, Negatives
from domain.campaigns.book import Book
from domain.campaigns.document import Flows


class OpenShard(NamedTuple):
    """A campaign shard that is open here. `epoch` of its claim, `sequence` of its last commit; in
    `book` is what is committed, of this moment; nobody writes to it."""

    epoch: int
    sequence: int
    book: Book


Books = Callable[[], Mapping[int, OpenShard]]
"""The campaign shards that are open here, by number."""


@dataclass(frozen=True)
class Sources:
    """`shards` in all; `flows` in force, as the rules see them."""

    shards: int
    books: Books
    flows: Flows
    documents: Documents
    negatives: Negatives
