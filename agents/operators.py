"""Carries operators' commands out on the sessions of one shard: each once, and exactly.

A command looks through the rows it may be for, in the order of row keys, a piece at a time. For a
piece that has sessions it takes to:

    1. what is decided, acknowledged by the changelog: up to which row, and how many sessions and
       records are touched in all so far
    2. the rows, committed as those of any batch
    3. that the piece is done, acknowledged

Nothing else changes the shard between 1 and 3, and a shard that is opened with a piece decided does
that piece first. So after a kill the same sessions are found again: those whose record survived are
done and are passed over, the others are as they were. The figures are those of step 1, whatever
part of step 2 survived. Between two pieces batches and flushes have their turn.

At the end what came of it is kept, goes to `aggregates.audit`, and then the command counts as
carried out; until then it is told again, byte for byte.
"""

from collections.abc import Callable

from agents.chunks import Order, decode_order, encode_order
from agents.commands import answer_of, read_order
from agents.erasure import erase
from agents.folds import Folds
from domain.aggregation.command import Command, Selection
from domain.aggregation.flush import to_json
from domain.aggregation.fold import AUDIT, Fold
from domain.aggregation.instants import print_instant
from domain.aggregation.keys import matches
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule, split_row_key
from domain.aggregation.session import Row
from tables.changes import Changes, Send
from tables.codec import decode_row
from tables.layout import COMMAND, COMMAND_END, ROW, Underway, command_key, wake_key
from tables.shard import Shard

PIECE_ROWS = 2_000  # looked at in one piece: a batch waits for no longer than that takes
ANSWERS = 1_000  # kept for each shard
Taken = list[tuple[bytes, Row]]


class Operators:
    """Commands on one shard, which is the caller's alone during each call. `versions_of` an
    aggregator are all of them, oldest first.
    """

    def __init__(
        self, shard: Shard, folds: Folds, versions_of: Callable[[str], list[Rule]], send: Send
    ) -> None:
        self._shard = shard
        self._folds = folds
        self._versions_of = versions_of
        self._send = send

    def decided(self) -> Order | None:
        """The command of which a piece is decided and may be done in part."""
        at = self._shard.marks.underway
        return None if at is None or at.upto == at.after else decode_order(at.order)

    async def resume(self) -> None:
        """Does the piece that is `decided`."""
        at, order = self._shard.marks.underway, self.decided()
        if at is None or order is None:
            return
        command, selection = self._read(order)
        _, taken = self._piece(selection, command.action == "erase", at.after, at.upto)
        await self._do(order, command, taken)
        await self._done(at)

    async def carry_out(self, order: Order) -> bool:
        """One piece of the command, or of the one before it; whether it is carried out."""
        marks = self._shard.marks
        if order.offset <= marks.commands.get(order.partition, -1):
            return True
        at = marks.underway or Underway(encode_order(order))
        ours = decode_order(at.order)
        command, selection = self._read(ours)
        if marks.underway is None and self._is_answered(command, ours):
            await self._pass(ours)
            return True
        marks.underway = at
        upto, taken = self._piece(selection, command.action == "erase", at.after)
        if upto is None:
            await self._finish(ours, command, at)
            return (ours.partition, ours.offset) == (order.partition, order.offset)
        at.upto = upto
        if taken:
            at.sessions += len(taken)
            at.records += sum(row.open.count for _, row in taken if row.open is not None)
            # Step 1.
            await self._commit(Changes())
            # Step 2.
            await self._do(ours, command, taken)
            # Step 3.
            await self._done(at)
        else:
            at.after = upto
        return False

    def _piece(
        self, selection: Selection, erases: bool, after: bytes, upto: bytes | None = None
    ) -> tuple[bytes | None, Taken]:
        """The last row looked at behind `after` (None: there is none), and those taken."""
        floor = ROW + after + b"\0" if after else b""
        taken: Taken = []
        last: bytes | None = None
        left = PIECE_ROWS
        for (first, end), tests in selection.ranges:
            start, stop = max(ROW + first, floor), ROW + end
            if upto is not None:
                stop = min(stop, ROW + upto + b"\0")
            if left <= 0 or start >= stop:
                continue
            for key, value in self._shard.store.scan(start, stop, left):
                left -= 1
                last = key[1:]
                if not matches(split_row_key(last)[2], tests):
                    continue
                row = decode_row(value)
                if erases or self._takes(selection, last, row):
                    taken.append((last, row))
        return last, taken

    def _takes(self, selection: Selection, row_key: bytes, row: Row) -> bool:
        if row.open is None:
            return False
        name, _, key = split_row_key(row_key)
        return selection.takes(self._folds.rule_of(name, row.open.version), key, row.open)

    async def _do(self, order: Order, command: Command, taken: Taken) -> None:
        """Touches the sessions of a piece, in one commit."""
        if not taken:
            return
        if command.action == "erase":
            await erase(self._shard, self._folds, taken)
            return
        changes = Changes()
        told = command.told(print_instant(order.at))
        fold = Fold(
            self._folds.rule_of(order.aggregator, order.version), "", 0, self._folds.rule_of
        )
        for row_key, row in taken:
            session = row.open
            if session is None:
                continue
            rule = self._folds.rule_of(order.aggregator, session.version)
            changes.dropped.append(wake_key(row.wake, row_key))
            row.wake = 0
            if command.due_ms is not None:
                session.due, session.due_version = command.due_ms, -abs(session.due_version)
            else:
                fold.key = split_row_key(row_key)[2]
                fold.close(row, "COMMAND", told, deleted=command.action == "delete")
            changes.rows[row_key] = (row, rule.ttl_ms)
        changes.totals[order.aggregator] = fold.totals
        await self._commit(changes)

    async def _done(self, at: Underway) -> None:
        at.after = at.upto
        await self._commit(Changes())

    async def _finish(self, order: Order, command: Command, at: Underway) -> None:
        shard = self._shard
        told = {
            **command.told(print_instant(order.at)),
            **command.meant(),
            "partition": shard.number,
            "touched": at.sessions,
            "counts": {"sessions": at.sessions, "records": at.records},
            "state": "done",
        }
        answer = to_json(answer_of(order, command, told))
        changes = Changes(kept={command_key(order.partition, order.offset): answer})
        kept = [key for key, _ in shard.store.scan(COMMAND, COMMAND_END, ANSWERS + 1)]
        changes.forget = kept[: max(0, len(kept) - ANSWERS + 1)]
        await self._commit(changes)
        await self._send([(AUDIT, command.id.encode(), answer)])
        await self._pass(order)

    async def _pass(self, order: Order) -> None:
        """Commands up to this one need no further look."""
        marks = self._shard.marks
        marks.commands = {**marks.commands, order.partition: order.offset}
        marks.underway = None
        await self._commit(Changes())

    def _is_answered(self, command: Command, order: Order) -> bool:
        """Whether a producer sent it twice: an earlier message with its id has been answered.

        An answer to this very message is not yet out: else it would have been passed.
        """
        found = self._shard.store.scan(COMMAND, COMMAND_END)
        wanted, own = to_json(command.id), command_key(order.partition, order.offset)
        return any(
            key != own and wanted in answer and exact_json(answer)["command_id"] == command.id
            for key, answer in found
        )

    def _read(self, order: Order) -> tuple[Command, Selection]:
        """By the versions that there were where the command stands, whatever came since."""
        rules = [r for r in self._versions_of(order.aggregator) if r.version <= order.version]
        command = read_order(order.message, rules)
        return command, Selection(rules, command)

    async def _commit(self, changes: Changes) -> None:
        changes.effective_now = self._shard.marks.effective_now
        await self._shard.commit(changes)
