"""Shards whose state is being read from its changelog, and how far that is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import ref

from tables.changelog import Changelog


class Recovery(NamedTuple):
    """`done` of `total` records; `total` 0: there was nothing to read."""

    table: str
    number: int
    began_ms: int
    done: int
    total: int


@dataclass
class Recoveries:
    """Those of this process. One that is given up is forgotten with its changelog."""

    now_ms: Callable[[], int]
    _begun: dict[tuple[str, int], tuple[ref[Changelog], int]] = field(default_factory=dict)

    def begin(self, table: str, number: int, changelog: Changelog) -> None:
        """A shard is being opened; its changelog will be followed."""
        self._begun[table, number] = ref(changelog), self.now_ms()

    def under_way(self) -> Iterator[Recovery]:
        """Those not claimed yet."""
        for (table, number), (held, began_ms) in list(self._begun.items()):
            changelog = held()
            if changelog is None or changelog.claimed:
                del self._begun[table, number]
                continue
            if not changelog.reading:
                continue
            begin, upto = changelog.followed
            done = max(0, changelog.next_offset - begin)
            yield Recovery(table, number, began_ms, done, max(0, upto - begin))
