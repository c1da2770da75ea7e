"""One what-if: the retained records of a topic under a document, beside what really happened.

    1. where the input ends, and what time it is: that is what both sides are compared up to
    2. the flushes on the output topic since then; those that began before the first record to be
       run, and with them their records, are left out on both sides
    3. the records, in the order of time, on a shard of their own (agents/replay.py)
    4. flushes that were sent meanwhile, as far as they belong to those records
    5. the two sides by group

It runs on the event loop in pieces of some milliseconds, and rests as long as it works.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agents.replay import LOOK_MS, Replay, plain
from app.facade.history import History, Merged, Stretch
from app.facade.parts import Parts
from app.facade.sides import HAPPENED, WHAT_IF, SidesStore
from app.facade.tally import Tally
from app.history_shapes import WhatIf
from app.since import Since
from connectors.streams.base import Item, UnknownTopic
from domain.aggregation.instants import parse_instant
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule
from domain.errors import SluiceError
from tables.store import KeyedStore

MOST_RECORDS = 1_000_000  # about a minute of the work of one core
PIECE_RECORDS = 100
WORK_S = 0.004  # of work at a time: what else is due on the loop waits no longer
LONGEST_S = 900.0
SLACK_MS = 60_000  # by which clocks of brokers may differ


class TooMany(SluiceError):
    """More records, or flushes, than one preview looks at (413)."""

    def __init__(self, number: int, what: str, topic: str, limit: int) -> None:
        self.number, self.limit = number, limit
        super().__init__(
            f"{topic} has {number:,} {what} since then, a preview looks at {limit:,} at most; "
            "give a later --since"
        )


class TookTooLong(SluiceError):
    """A preview that did not come to its end in time."""

    def __init__(self, read: int, number: int) -> None:
        super().__init__(
            f"it took longer than {LONGEST_S / 60:g} min: {read:,} of {number:,} records were run; "
            "give a later --since"
        )


class Pace:
    """Rests as long as it worked, so that the worker's own work goes on beside."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()
        self._until = self._since + LONGEST_S

    def is_over(self) -> bool:
        """Whether the run has had its time."""
        return self._clock() > self._until

    async def rest(self) -> None:
        """Gives the loop away when there was work for some milliseconds."""
        worked = self._clock() - self._since
        if worked >= WORK_S:
            await asyncio.sleep(worked)
            self._since = self._clock()


class Run:
    """One what-if. `records` to read, of which `read` are; `from_ms` is the first one's timestamp.

    `rule` is the document as the version that it would be. The store is the run's own.
    """

    def __init__(self, parts: Parts, rule: Rule, since: Since, store: KeyedStore) -> None:
        self._parts, self._rule, self._since = parts, rule, since
        self._history = History(parts)
        self._sides = SidesStore(store)
        self._store = store
        self._flushes_left_out = 0
        self.records = self.read = 0
        self.from_ms: int | None = None
        self.now_ms = 0

    async def go(self) -> WhatIf:
        """Runs it. Raises UnknownTopic, TooMany, TookTooLong."""
        pace = Pace()
        # Step 1.
        self.now_ms = self._parts.clock.now_ms()
        records = await self._history.stretch(self._rule.document.input, self._since)
        self._check(records, "records")
        self.from_ms = await self._history.first_ms(records)
        replay = Replay(
            self._rule,
            self._store,
            max_record_bytes=self._parts.settings.max_record_bytes,
            flushed=self._what_if,
            pause=pace.rest,
        )
        await replay.open(self.from_ms or self.now_ms)
        # Step 2.
        sent = await self._outputs()
        self.records = records.records + sum(each.records for each in sent)
        for stretch in sent:
            await self._take_sent(stretch, records, replay, pace)
        # Step 3.
        merged = Merged(self._history, records)
        while taken := await merged.take(PIECE_RECORDS, replay.calm_until_ms, LOOK_MS):
            await replay.take(taken, self.now_ms)
            self.read += sum(map(len, taken.values()))
            if pace.is_over():
                raise TookTooLong(self.read, self.records)
        await replay.end(self.now_ms)
        # Step 4.
        for stretch in sent:
            following = await self._history.following(stretch)
            await self._take_sent(following, records, None, pace)
        # Step 5.
        return await self._compared(replay, pace)

    def _check(self, stretch: Stretch, what: str) -> None:
        if stretch.records > MOST_RECORDS:
            raise TooMany(stretch.records, what, stretch.topic, MOST_RECORDS)

    async def _outputs(self) -> list[Stretch]:
        """The output topics that hold flushes of the aggregator, since the first record."""
        if self.from_ms is None:
            return []
        name = self._rule.name
        topics = {
            rule.document.output.topic
            for (known, _), rule in self._parts.documents.rules.items()
            if known == name
        }
        found = []
        for topic in sorted(topics):
            since = Since("instant", self.from_ms - SLACK_MS)
            try:
                stretch = await self._history.stretch(topic, since)
            except UnknownTopic:
                continue  # it never had a flush
            self._check(stretch, "flushes")
            found.append(stretch)
        return found

    async def _take_sent(
        self, sent: Stretch, records: Stretch, replay: Replay | None, pace: Pace
    ) -> None:
        """Keeps the flushes of the aggregator among these that were made of the records run."""
        mark = b'"' + self._rule.name.encode() + b'"'
        async for _, items in self._history.pieces(sent):
            for item in items:
                if mark in (item[3] or b""):
                    self._take_flush(item, records, replay)
                    await pace.rest()
            self.read += len(items) if replay is not None else 0
            await pace.rest()
            if pace.is_over():
                raise TookTooLong(self.read, self.records)

    def _take_flush(self, item: Item, records: Stretch, replay: Replay | None) -> None:
        text = plain(item[3] or b"")
        try:
            record = exact_json(text)
            sources = record["explain"]["sources"]
            mine = record["aggregator"] == self._rule.name
            rule = self._parts.documents.rules.get((self._rule.name, record["version"]))
        except (msgspec.DecodeError, KeyError, TypeError):
            return  # somebody else's record
        if not mine or rule is None or item[2] is None:
            return
        place = _place(sources, records)
        if place == "later" or _is_later(record, self.now_ms):
            return
        if place == "inside":
            row_key = rule.prefix + item[2]
            self._sides.put(HAPPENED, row_key, record["sequence"], record["id"], text)
            return
        self._flushes_left_out += 1
        if place == "before" and replay is not None and rule.spec == self._rule.spec:
            upto: dict[int, int] = {}
            for each in sources:
                upto[each["partition"]] = max(each["last"], upto.get(each["partition"], -1))
            replay.leave_out(item[2], upto)

    def _what_if(self, key: bytes, text: bytes) -> None:
        record = exact_json(text)
        row_key = self._rule.prefix + key
        self._sides.put(WHAT_IF, row_key, record["sequence"], record["id"], text)

    async def _compared(self, replay: Replay, pace: Pace) -> WhatIf:
        tally = Tally(self._rule, self._parts.documents)
        async for row_key, sides in self._sides.groups(pace.rest):
            tally.take(row_key, sides)
        duplicates, rejected = replay.duplicates, sum(replay.rejected.values())
        left = rejected + replay.filtered + duplicates + replay.left_out
        return tally.result(
            applied=replay.records - left,
            filtered=replay.filtered,
            duplicates=duplicates,
            rejected=replay.rejected,
            letters=replay.letters,
            left_out=replay.left_out,
            flushes_left_out=self._flushes_left_out,
            flushes_now=self._sides.count[HAPPENED],
            flushes_what_if=self._sides.count[WHAT_IF],
            expired=replay.expired,
            open_sessions=replay.open_sessions,
        )


def _place(sources: Sequence[Mapping[str, Any]], records: Stretch) -> str:
    """Where the records of a flush are: `inside` the stretch, in part `before` or `later`, or
    `elsewhere`, on another topic."""
    place = "inside"
    for source in sources:
        partition = source["partition"]
        if source["topic"] != records.topic or partition >= len(records.begins):
            return "elsewhere"
        if source["last"] >= records.ends[partition]:
            return "later"
        if source["first"] < records.begins[partition]:
            place = "before"
    return place


def _is_later(record: Mapping[str, Any], now_ms: int) -> bool:
    """Whether it was flushed by a timeout after the time up to which is compared."""
    due = record["explain"]["due"]
    if record["meta"]["flushType"] != "TIMEOUT" or due is None:
        return False
    return (parse_instant(due) or 0) > now_ms
