"""Where keys live when the number of shards has grown: one record by growth in the documents' log.

    begun     the old shards give away the rows of keys that live elsewhere from now on
    switched  all have: from this revision on records are routed by the new number
    finished  each input partition is past that revision, and all it sent before has arrived

See `agents/growing.py` for what happens in between, docs/decisions/026 for why it is exact.
"""

from dataclasses import dataclass, field

import msgspec

from tables.changelog import Change

PREFIX = b"\0growth/"
InputPartition = tuple[str, int]
"""(public topic, partition)"""


class Growth(msgspec.Struct, frozen=True):
    """One growth from `before` to `after` shards. `begun`, `switched`: revisions, 0 for not yet.

    `inputs` are the public topics that get as many partitions too. `moved`: old shards that have
    given their rows away. `waiting`: input partitions that are not known to be past `switched`.
    """

    before: int
    after: int
    begun: int
    inputs: tuple[str, ...] = ()
    actor: str = ""
    reason: str = ""
    at: int = 0
    moved: tuple[int, ...] = ()
    switched: int = 0
    waiting: tuple[InputPartition, ...] = ()
    finished: bool = False

    @property
    def moving(self) -> bool:
        """Whether some rows are not yet on their way to where they will live."""
        return not self.switched


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Growth).decode


@dataclass
class Growths:
    """All growths, oldest first. `revision` is the newest that any of them made."""

    revision: int = 0
    known: list[Growth] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """A record of the log: it replaces what was known of its growth."""
        growth = _decode(change[1] or b"")
        self.known = [each for each in self.known if each.after != growth.after]
        self.known = sorted([*self.known, growth], key=lambda each: each.after)
        self.revision = max(self.revision, growth.begun, growth.switched)

    @property
    def latest(self) -> Growth | None:
        """The newest one, finished or not."""
        return self.known[-1] if self.known else None

    @property
    def under_way(self) -> bool:
        """Whether one is not finished."""
        return bool(self.known) and not self.known[-1].finished

    def shards(self, revision: int, otherwise: int) -> int:
        """By how many shards records are routed at a revision; `otherwise` when none has grown."""
        found = self.known[0].before if self.known else otherwise
        for growth in self.known:
            if growth.switched and growth.switched <= revision:
                found = growth.after
        return found

    def target(self, otherwise: int) -> int:
        """How many shards there are or are going to be."""
        return self.known[-1].after if self.known else otherwise


def growth_change(growth: Growth) -> Change:
    """The change that says how far a growth is."""
    return PREFIX + f"{growth.after:09d}".encode(), _encode(growth)
