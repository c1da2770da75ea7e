"""`sluice aggregate`: the same rules, sessions and commits as in the stream, over files.

The order of a run. A kill between any two steps loses nothing and counts nothing twice; the same
command goes on where it was:

    1. the files are identified and looked through, those taken before are refused
    2. what was due before the run is flushed
    3. each file in turn, some thousand records a commit, the line reached in the same commit;
       then the sessions that end with it, then the file is done
    4. what is due now is flushed, then the sessions that end with the run
    5. everything decided is written, files renamed into place
    6. it is confirmed, and the run is over

With a state nothing is written before step 5: what was decided waits in the state's outbox. Without
one a kill leaves nothing to go on with, so flushes are written as they are decided.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from agents.aggregate import DIRECT
from agents.folds import Folds
from agents.letters import Letter
from app.batch.ledger import (
    RUN,
    SHOWN_REFUSALS,
    Ledger,
    Run,
    encode,
    file_record,
    listed_record,
)
from app.batch.options import Document, Options
from app.batch.outputs import Outputs
from app.batch.plan import Entry, Plan, plan
from app.batch.preview import previewed, sessions
from app.batch.processor import BatchProcessor
from app.batch.takers import Refusal, Taken, Takers
from app.batch.watch import Watch
from connectors.formats.files import Source
from connectors.formats.records import Records
from domain.aggregation.instants import print_instant
from domain.errors import UsageError
from tables.changes import Changes
from tables.shard import Shard
from tables.store import KeyedStore

WRITTEN, OVER = 5, 6  # steps for tests, after those of `tables/shard.py`


class Limits(NamedTuple):
    """Of the settings, what a run goes by."""

    max_record_bytes: int
    cache_rows: int


class Batch:
    """One run. `open` first, then `run`."""

    def __init__(
        self,
        options: Options,
        documents: Sequence[Document],
        store: KeyedStore,
        outputs: Outputs,
        limits: Limits,
        *,
        on_step: Callable[[int], None] = lambda _step: None,
    ) -> None:
        self.options = options
        self.ledger = Ledger(store)
        self._documents = documents
        self._outputs = outputs
        self._limits = limits
        self._on_step = on_step
        self.remembered = options.state is not None
        aggregators = [document.aggregator for document in documents]
        self.names = [each.name for each in aggregators]
        self._by_file = [a.name for a in aggregators if a.flush.by == "end_of_transaction"]
        self._by_run = [a.name for a in aggregators if a.flush.by == "end_of_stream"]
        folds = Folds(self.ledger.rule, self.ledger.newest_rule)
        at_once = not self.remembered and not options.preview
        self.shard = Shard(
            0, store, None, self.ledger.rule, outputs.send if at_once else None,
            cache_rows=limits.cache_rows, on_step=on_step,
        )  # fmt: skip
        self._processor = BatchProcessor(
            self.shard, folds, self.ledger.source_name,
            frozenset(self._by_file + self._by_run), self._every, self._session_refuses,
        )  # fmt: skip
        self.tally: Run
        self.takers: Takers

    def open(self, clock_ms: Callable[[], int]) -> None:
        """Decides the time of the run and takes the documents. Raises UsageError."""
        ledger, given = self.ledger, self.options.now_ms
        last = ledger.run
        going_on = last is not None and not last.over
        now = given if given is not None else (last.now if last and going_on else clock_ms())
        if last is not None and now < last.now:
            raise UsageError(
                f"now is {print_instant(now)}, but the last run on this state was at "
                f"{print_instant(last.now)}; expected a time not before that (--now)"
            )
        if last is not None and going_on:
            self._unchanged()
        self.tally = last if last is not None and going_on else Run(now)
        self.tally.now = now
        self._adopted = ledger.adopt(self._documents)
        rules = [ledger.newest_rule(name) for name in self.names]
        self.takers = Takers(rules, self._limits.max_record_bytes)

    def _unchanged(self) -> None:
        """Sessions of a killed run end as they began: with their file, with the run, or in time."""
        for document in self._documents:
            name, by = document.aggregator.name, document.aggregator.flush.by
            if self.ledger.latest(name):
                before = self.ledger.newest_rule(name).document.flush.by
                if before != by:
                    problem = f"{name} says flush.by: {by}, the run that was killed {before}"
                    raise UsageError(f"{problem}; expected that run to be finished first")

    def plan(self, sources: Sequence[Source]) -> Plan:
        """What is to be taken of these files; see `plan.plan`."""
        options = self.options
        return plan(
            self.ledger,
            sources,
            self.names,
            remembered=self.remembered,
            again=options.again,
            abandon=options.abandon or options.preview,
        )

    async def run(self, planned: Plan, watch: Watch) -> None:
        """Steps 2 to 6."""
        await self.shard.open()
        await self._begin(planned)
        if not self.options.preview and not self.tally.started:
            # Step 2: what was due before.
            await self._processor.until(self.tally.now)
        self.tally.started = True
        # Step 3: the files.
        for entry in planned.entries:
            await self._take(entry, watch)
            watch.done(entry.source.size)
        if self.options.preview:
            self._show()
            return
        # Step 4: what is due now, and what ends with the run.
        await self._processor.until(self.tally.now)
        for name in self._by_run:
            await self._processor.end(name, "ALL_FILES")
        # Step 5: everything is written.
        if self.remembered:
            self._outputs.write(self.shard.outbox())
        self._outputs.finish()
        self._on_step(WRITTEN)
        # Step 6: confirmed.
        self.tally.over = True
        self.shard.confirm(dict([(RUN, encode(self.tally)), listed_record([])]))
        self._on_step(OVER)

    async def _begin(self, planned: Plan) -> None:
        kept = dict(self._adopted)
        listed = [entry.listed for entry in planned.entries]
        if self.ledger.killed:
            known = [each for each in self.ledger.listed if each not in planned.given_up]
            listed = known + [each for each in listed if each not in known]
        for each in planned.given_up:
            file = self.ledger.file(each.digest)
            for taken in file.taken.values():
                taken.done = True
            kept.update([file_record(each.digest, file)])
        kept.update([listed_record(listed)])
        await self._processor.keep(lambda changes: changes.kept.update(kept))

    async def _take(self, entry: Entry, watch: Watch) -> None:
        """One file, from where it was left."""
        names, source = self.names, entry.source
        entry.begin(names)
        self.ledger.begin(entry.topic, source.name)
        self._processor.topic = entry.topic
        reader = self.takers.reader(source.format)
        for records in reader.read(source, entry.start(names)):
            floors = [entry.file.taken[name].line for name in names]
            taken = self.takers.take(reader, records, entry.topic, floors, self.tally.now)
            await self._processor.take(
                taken.chunks,
                lambda changes, records=records, taken=taken: self._reached(  # type: ignore[misc]  # defaults bind the loop's values
                    changes, entry, records, taken
                ),
            )
            watch.at(source.name, records.reached)
        for name in self._by_file:
            await self._processor.end(name, "EACH_FILE")
        await self._processor.keep(lambda changes: self._done(changes, entry))

    def _reached(self, changes: Changes, entry: Entry, records: Records, taken: Taken) -> None:
        """Adds to the commit of some records what is known of them besides the sessions."""
        for name in self.names:
            mine = entry.file.taken[name]
            if mine.line < records.end.line:
                mine.line, mine.offset = records.end
        changes.kept.update([file_record(entry.source.digest, entry.file)])
        self.tally.records += len(records.lines) + len(records.refused)
        for name, number in taken.filtered.items():
            self.tally.filtered[name] = self.tally.filtered.get(name, 0) + number
        rejected: dict[str, int] = {}
        for refusal in taken.refusals:
            self._refused(changes, entry.source.name, refusal, records)
            if refusal.rule is not None:
                rejected[refusal.rule.name] = rejected.get(refusal.rule.name, 0) + 1
        for name, number in rejected.items():
            self._processor.reject(changes, name, number)

    def _done(self, changes: Changes, entry: Entry) -> None:
        for name in self.names:
            entry.file.taken[name].done = True
            self.shard.applied.pop((DIRECT, entry.topic, 0, name), None)
        changes.kept.update([file_record(entry.source.digest, entry.file)])
        self.tally.files += 1

    def _refused(self, changes: Changes, name: str, refusal: Refusal, records: Records) -> None:
        reject, rule = refusal.reject, refusal.rule
        if not self._note(name, refusal.line, reject.reason, reject.detail):
            return
        letter = Letter(
            name, 0, refusal.line, None if rule is None else rule.name, reject.reason,
            reject.detail, records.original(refusal.line), None if rule is None else rule.version,
            self.tally.now,
        )  # fmt: skip
        changes.outputs.append(letter.output())

    def _session_refuses(self, topic: str, line: int, reason: str, detail: str) -> bool:
        return self._note(self.ledger.source_name(topic), line, reason, detail)

    def _note(self, name: str, line: int, reason: str, detail: str) -> bool:
        """Counts a rejected record; whether anybody wants to read of it."""
        run = self.tally
        run.reasons[reason] = run.reasons.get(reason, 0) + 1
        if len(run.shown) < SHOWN_REFUSALS:
            run.shown.append(f"{name}:{line}: {reason}: {detail}")
        return self.options.rejects is not None

    def _every(self, changes: Changes) -> None:
        changes.kept[RUN] = encode(self.tally)

    def _show(self) -> None:
        """A preview: every session, those that ended on the way first."""
        self._outputs.write(map(previewed, self.shard.outbox()))
        self._outputs.write(sessions(self.shard.store, self.ledger, self.names))
        self._outputs.finish()
