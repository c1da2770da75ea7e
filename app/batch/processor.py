"""The rules at work on the sessions of a batch: one shard, one file after the other."""

from collections.abc import Callable, Sequence

from agents.aggregate import DIRECT, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from app.batch.ledger import ending_key, ending_range
from domain.aggregation.columns import Plan
from domain.aggregation.flush import SourceName
from domain.aggregation.fold import Fold
from domain.aggregation.rule import Rule
from domain.aggregation.session import Row
from domain.aggregation.totals import Totals
from tables.changes import Changes
from tables.layout import pack_totals, unpack_totals
from tables.packed import Shapes
from tables.shard import Shard

ENDING_ROWS = 5_000  # sessions of one commit when a file or the run ends
Attach = Callable[[Changes], None]


class BatchProcessor(ShardProcessor):
    """`ending` names the aggregators whose sessions end with their file or the run. `every` adds
    to each commit; `refuse` is told of records that a session refuses, and says whether their
    dead letters are wanted.
    """

    def __init__(
        self,
        shard: Shard,
        folds: Folds,
        source_name: SourceName,
        ending: frozenset[str],
        every: Attach,
        refuse: Callable[[str, int, str, str], bool],
    ) -> None:
        super().__init__(shard, folds, source_name)
        self.topic = ""
        self._ending = frozenset(name.encode() for name in ending)
        self._every = every
        self._refuse = refuse
        self._attached: list[Attach] = []

    async def take(self, chunks: Sequence[Chunk], attach: Attach) -> None:
        """Applies the chunks; `attach` adds to the commit with which they are all applied."""
        self._attached = [attach]
        await self.apply(DIRECT, chunks)
        if self._attached:
            await self._commit(self._nothing(), whole=True)

    async def keep(self, attach: Attach) -> None:
        """Commits what `attach` adds, and nothing else."""
        await self.take((), attach)

    async def until(self, now_ms: int) -> None:
        """Flushes and expires what is due at `now_ms`."""
        await self.tick((), now_ms)

    async def end(self, name: str, flush_type: str) -> None:
        """Flushes every open session of an aggregator that ends with its file or the run."""
        first, last = ending_range(name)
        while found := [key for key, _ in self.shard.store.scan(first, last, ENDING_ROWS)]:
            changes = self._nothing()
            folds: dict[int, Fold] = {}
            rows = self.shard.load(key[1:] for key in found)
            for key in (key[1:] for key in found):
                row = rows[key]
                if row.open is not None:
                    fold = self._closing(folds, name, row.open.version, flush_type)
                    fold.key = key[len(fold.rule.prefix) :]
                    fold.close(row, flush_type)
                    changes.rows[key] = (row, fold.rule.ttl_ms)
            totals = changes.totals[name] = Totals()
            for fold in folds.values():
                totals.merge(fold.totals)
            changes.dropped += found
            await self._commit(changes)
            first = found[-1]

    def _closing(self, folds: dict[int, Fold], name: str, version: int, flush_type: str) -> Fold:
        fold = folds.get(version)
        if fold is None:
            fold = folds[version] = Fold(
                self._folds.rule_of(name, version),
                "",
                0,
                self._folds.rule_of,
                source_name=self.source_name,
                last_call=flush_type == "ALL_FILES",
            )
        return fold

    def reject(self, changes: Changes, name: str, number: int) -> None:
        """Counts records that have no session to be counted in."""
        if number == 0:
            return
        marks = self.shard.marks
        retired = unpack_totals(marks.retired)
        for totals in (changes.totals, retired):
            mine = totals.setdefault(name, Totals())
            mine.add("in", number)
            mine.add("rejected", number)
        marks.retired = pack_totals(retired)

    def _letters(self, row: Row, chunk: Chunk, rule: Rule, ctx: Fold) -> None:
        wanted = [
            refused
            for refused in ctx.rejections
            if self._refuse(chunk.topic, refused.offset, refused.reason, refused.detail)
        ]
        ctx.rejections[:] = wanted
        super()._letters(row, chunk, rule, ctx)

    def _nothing(self) -> Changes:
        return Changes(effective_now=self.shard.marks.effective_now)

    def _plan(self, rule: Rule) -> Plan | None:
        return None  # `_stage` looks at each row

    def _stage(
        self, changes: Changes, *, cached: bool = True, shapes: Shapes | None = None
    ) -> None:
        topic, ending = self.topic, self._ending
        for key, (row, _) in changes.rows.items():
            if row.applied:  # of files that are finished nothing comes again
                row.applied = tuple(entry for entry in row.applied if entry[0] == topic)
            if key[: key.index(0)] in ending:
                if row.open is not None:
                    changes.kept[ending_key(key)] = b""
                else:
                    changes.dropped.append(ending_key(key))
        super()._stage(changes, cached=cached, shapes=shapes)

    async def _commit(self, changes: Changes, *, whole: bool = False) -> None:
        if whole:
            for attach in self._attached:
                attach(changes)
            self._attached = []
        self._every(changes)
        await super()._commit(changes, whole=whole)
