"""Worlds whose shards have a standby copy, which follows by small pieces and may take over."""

from dataclasses import dataclass, field

from agents.folds import Folds
from connectors.streams.base import StreamUnavailable
from connectors.streams.memory import Killed
from tables.changelog import Changelog
from tables.changes import Output
from tables.documents import Documents, DocumentsFollower
from tables.formats import SHARD
from tables.shard import Shard
from tables.standby import ShardCopy
from tests.agents.world import NAMES, Disk, World

PIECE = 256  # a row of a log in memory counts as so many bytes


@dataclass
class Standing(World):
    """`spares`: disks of the copies, `copies`: those that are open."""

    spares: dict[int, Disk] = field(default_factory=dict)
    copies: dict[int, ShardCopy] = field(default_factory=dict)

    async def follow(
        self, number: int, rows: int, pieces: int = 999, *, away: bool = False
    ) -> None:
        """The copy catches up by pieces of so many rows; behind so many pieces it is killed, or the
        stream is `away` for a moment."""
        left = pieces

        async def documents() -> None:
            nonlocal left
            await follower.catch_up()
            left -= 1
            if left < 0:
                raise StreamUnavailable("memory", "for a moment") if away else Killed

        known = Documents()
        log = Changelog(self.log, NAMES.changelog("documents"), 0, "copy")
        follower = DocumentsFollower(known, log)
        await follower.catch_up()
        folds = Folds(known.rule, lambda name: known.versions_of(name)[-1])
        copy = self.copies.pop(number, None)
        if copy is None:
            changelog = Changelog(self.log, NAMES.changelog("sessions"), number, "copy", SHARD)
            disk = self.spares.setdefault(number, Disk())
            shard = Shard(number, disk, changelog, folds.rule_of, _never, now_ms=self.clock.now_ms)
            copy = ShardCopy(shard, documents)
        copy.shard.rule_of, copy._documents = folds.rule_of, documents
        copy.changelog.read_bytes = rows * PIECE
        try:
            await copy.catch_up()
        except StreamUnavailable:
            left = 999
            await copy.catch_up()
        self.copies[number] = copy

    def take_over(self, number: int) -> None:
        """The shard goes on from the copy; the disk it had is the next copy's."""
        self.copies.pop(number, None)
        had = self.disks.pop(number, None)
        self.disks[number] = self.spares.pop(number, Disk())
        if had is not None:
            self.spares[number] = had


async def _never(_outputs: list[Output]) -> None:
    raise AssertionError("a copy sends nothing")
