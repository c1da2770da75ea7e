"""Operators' commands: what one would touch, giving it, and what came of it.

A command is a control message on topic `config` (see `agents/commands.py`): it is given once that
is durable, and answered when every shard concerned has carried it out.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import msgspec

from agents.commands import CommandRefused, concerned, read_order
from agents.ending import end
from agents.told import HEADERS
from app.backend import IdempotencyConflict, Unavailable
from app.command_shapes import Commanded
from app.facade.appends import Appends
from app.facade.erasing import Erasing, Notes
from app.facade.evidence import Evidence
from app.facade.owners import MOVING_S, Owners
from app.facade.parts import Parts
from app.shapes import Change, Idempotency
from config.commands import KIND, read_command
from config.documents.base import DocumentError, Problem
from config.topics import CONFIG
from domain.aggregation.command import Selection
from domain.aggregation.flush import to_json
from domain.aggregation.rule import Rule

logger = logging.getLogger(__name__)
LOOK_S = 0.05
KEPT = 100  # erasures that are over, for who asks how far they are
CLEAR_S = 600.0  # as long may a command be on its way to shards that are recovered
COUNT_S = 10.0  # what is not counted by then is told as "at least"

Cleared = tuple[int, int | None]
"""Dead letters and source records that an erasure took; None where the stream can't."""


class Commands:
    """See `Backend`, section Commands."""

    def __init__(
        self, parts: Parts, owners: Owners, appends: Appends, evidence: Evidence, notes: Notes
    ) -> None:
        self._parts = parts
        self._owners = owners
        self._appends = appends
        self._evidence = evidence
        self._notes = notes
        self._at_work: set[str] = set()  # ids of notes that are seen to here
        self._tasks: set[asyncio.Task[Cleared]] = set()
        self._clearing: dict[str, asyncio.Task[Cleared]] = {}

    async def stop(self) -> None:
        """Ends what is being erased; it is noted, and goes on where a console runs."""
        await end(*self._tasks)

    async def count(
        self, aggregator: str, action: str, asked: Mapping[str, Any], change: Change
    ) -> Commanded | None:
        """See `Backend.count_command`."""
        rules = await self._rules(aggregator)
        if not rules:
            return None
        message = _message("dry-run", aggregator, action, asked, change)
        command = read_command(message, rules, dry=True)
        # what is counted has a reason that nobody reads
        encoded = _checked({**message, "reason": "dry run"}, rules)
        after = dict.fromkeys(concerned(Selection(rules, command), self._parts.placed), b"")
        sessions = records = 0
        clock = asyncio.get_running_loop().time
        until = heard = clock()
        until += COUNT_S
        while after and clock() < until:
            question = {
                "aggregator": aggregator, "message": encoded, "after": list(after.items()),
            }  # fmt: skip
            told = await self._owners.now("count", question)
            for number, (_, one) in told.items():
                sessions += one["sessions"]
                records += one["records"]
                if one["reached"] is None:
                    after.pop(number, None)
                else:
                    after[number] = one["reached"]
                heard = clock()
            if not told:
                if clock() - heard > MOVING_S:
                    which = ", ".join(map(str, sorted(after)))
                    detail = "no worker has it open; it is being recovered"
                    raise Unavailable(f"state of partition {which}", detail)
                await asyncio.sleep(LOOK_S)
        found = Commanded("", action, aggregator, True, not after, sessions, records)
        if action != "erase" or command.group is None:
            return found
        letters = await self._evidence.letters(rules, command.group)
        kept = await self._evidence.records(rules, command.group, count_s=COUNT_S)
        return replace(found, letters=len(letters), source_records=kept)

    async def give(
        self,
        aggregator: str,
        action: str,
        asked: Mapping[str, Any],
        change: Change,
        wait_s: float,
    ) -> Commanded | None:
        """See `Backend.give_command`."""
        rules = await self._rules(aggregator)
        if not rules:
            return None
        idempotency = None
        if change.idempotency_key is not None:
            basis = to_json(_message("", aggregator, action, asked, change))
            fingerprint = blake2b(basis, digest_size=16).hexdigest()
            idempotency = Idempotency(change.idempotency_key, fingerprint)
        name = uuid4().hex
        message = _message(name, aggregator, action, asked, change)
        encoded = _checked(message, rules)
        if action == "erase":
            if idempotency is not None:  # else letters were gone before it is refused
                await self._appends.check(idempotency)
            key = idempotency or Idempotency(f"erase {name}", name)
            note = Erasing(
                name, aggregator, self._parts.worker, self._parts.clock.now_ms(),
                key.key, key.fingerprint, encoded,
            )  # fmt: skip
            name, position = await self._erase(note, rules, begin=True)
        else:
            name, position = await self._append(name, encoded, idempotency)
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        while True:
            found = await self._found({"position": position, "id": None})
            if found is not None:
                found = await self._cleared(found, name)
                if found.done:
                    return found
            if clock() >= until:
                found = found or Commanded(name, action, aggregator, False, False, 0, 0)
                return replace(found, position=position)
            await asyncio.sleep(LOOK_S)

    async def _append(
        self, name: str, message: bytes, idempotency: Idempotency | None
    ) -> tuple[str, tuple[int, int]]:
        """Gives the command: its id and its position, those of the first time for a repeat."""
        row = (f"{KIND}/{name}".encode(), message, None, HEADERS)
        appended = await self._appends.append(CONFIG, [row], idempotency)
        ((partition, offset),) = appended.last.items()
        position = partition, offset
        if appended.repeated:
            name = await self._name_at(position) or name
        return name, position

    async def _name_at(self, position: tuple[int, int]) -> str | None:
        """The id of the command whose message is there, unless it was taken away already."""
        topic = self._parts.names.topic(CONFIG)
        piece = await self._parts.log.read(topic, *position)
        keys = (item[2] for item in piece.items if item[0] == position[1])
        key = next(keys, None)
        return None if key is None else key.decode().partition("/")[2]

    async def outcome(self, aggregator: str, command_id: str) -> Commanded | None:
        """See `Backend.command`."""
        found = await self._found({"position": None, "id": command_id})
        known = found is not None and (found.id, found.aggregator) == (command_id, aggregator)
        return await self._cleared(found, command_id) if found is not None and known else None

    async def go_on(self, *, first: bool) -> None:
        """Takes up erasures that were begun and left: here, or (by the `first` of all consoles) by
        a worker that is gone. Raises Unavailable; called again it does what is left."""
        for note in await self._notes.open():
            live = {beat.id for beat in self._parts.members.live()}
            left = first and note.owner not in live
            if note.id in self._at_work or not (left or note.owner == self._parts.worker):
                continue
            if self._parts.documents.lost(note.aggregator) is not None:
                continue  # which rows are meant can't be told: it waits for who can
            with suppress(IdempotencyConflict):  # who began it was told so: it is noted no longer
                await self._erase(note, await self._rules(note.aggregator))

    async def _erase(
        self, note: Erasing, rules: list[Rule], *, begin: bool = False
    ) -> tuple[str, tuple[int, int]]:
        """Erases letters, gives the command, and begins with what is behind it. Every step can be
        done again; the command is given once. Its id and its position."""
        self._at_work.add(note.id)
        task = None
        try:
            if begin:
                await self._notes.begin(note)
            asked = note.asked
            group, change = asked["group"], Change(asked["actor"], asked["reason"])
            # first: a replay that is under way reaches its session before the command does
            letters = await self._evidence.forget_letters(rules, group, change)
            once = Idempotency(note.key, note.fingerprint)
            try:
                name, position = await self._append(note.id, note.message, once)
            except IdempotencyConflict:
                await self._notes.end(note.id)
                raise
            task = asyncio.create_task(self._clear(note, position, rules, letters))
        finally:
            if task is None:
                self._at_work.discard(note.id)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._over(note.id, done))
        known = self._clearing.get(name)
        if known is None or (known.done() and known.exception() is not None):
            self._clearing[name] = task
        for over in [each for each, task in self._clearing.items() if task.done()][:-KEPT]:
            del self._clearing[over]
        return name, position

    def _over(self, id: str, task: asyncio.Task[Cleared]) -> None:
        self._at_work.discard(id)
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("erasure %s goes on later: %s", id, error)

    async def _clear(
        self, note: Erasing, position: tuple[int, int], rules: list[Rule], letters: int
    ) -> Cleared:
        """Erases what is kept beside the sessions of the command there."""
        asked = note.asked
        group, change = asked["group"], Change(asked["actor"], asked["reason"])
        kept = await self._evidence.records(rules, group)
        until = asyncio.get_running_loop().time() + CLEAR_S
        while (found := await self._found({"position": position, "id": None})) is None or (
            not found.done
        ):
            if asyncio.get_running_loop().time() > until:
                raise Unavailable(f"command {note.id}", "it is not carried out; it goes on later")
            await asyncio.sleep(LOOK_S)
        # what sessions refused up to then
        more = await self._evidence.forget_letters(rules, group, change)
        await self._notes.end(note.id)
        return letters + more, kept

    async def _cleared(self, found: Commanded, name: str) -> Commanded:
        """With what was erased beside the sessions; not done before that is. Raises what became of
        that."""
        task = self._clearing.get(name)
        if task is None or not found.done:
            return found
        if not task.done():
            return replace(found, done=False)
        letters, kept = task.result()
        return replace(found, letters=letters, source_records=kept)

    async def _found(self, asked: dict[str, Any]) -> Commanded | None:
        """The answers of the shards that have any, added up."""
        found: dict[int, dict[str, Any]] = {}
        for number, (_, one) in (await self._owners.now("commands", asked)).items():
            for answer in one["answers"]:
                found[number] = msgspec.json.decode(answer)
        if not found:
            return None
        first = next(iter(found.values()))
        return Commanded(
            first["command_id"],
            first["action"],
            first["aggregator"],
            False,
            found.keys() == set(first["partitions"]),
            sum(told["counts"]["sessions"] for told in found.values()),
            sum(told["counts"]["records"] for told in found.values()),
        )

    async def _rules(self, aggregator: str) -> list[Rule]:
        await self._parts.catch_up()
        lost = self._parts.documents.lost(aggregator)
        if lost is not None:
            raise lost
        return self._parts.documents.versions_of(aggregator)


class CommandsArea:
    """The facade's part of `Backend`, section Commands."""

    _commands: Commands

    async def count_command(
        self, aggregator: str, action: str, asked: Mapping[str, object], change: Change
    ) -> Commanded | None:
        """See `Backend.count_command`."""
        return await self._commands.count(aggregator, action, asked, change)

    async def give_command(
        self,
        aggregator: str,
        action: str,
        asked: Mapping[str, object],
        change: Change,
        wait_s: float,
    ) -> Commanded | None:
        """See `Backend.give_command`."""
        return await self._commands.give(aggregator, action, asked, change, wait_s)

    async def command(self, aggregator: str, command_id: str) -> Commanded | None:
        """See `Backend.command`."""
        return await self._commands.outcome(aggregator, command_id)


def _message(
    name: str, aggregator: str, action: str, asked: Mapping[str, Any], change: Change
) -> dict[str, Any]:
    return {
        "kind": KIND,
        "name": name,
        "id": name,
        "action": action,
        "aggregator": aggregator,
        **asked,
        "actor": change.actor,
        "reason": change.reason,
    }


def _checked(message: dict[str, Any], rules: list[Rule]) -> bytes:
    """The message's bytes, read as a worker will read them. Raises DocumentError."""
    read_command(message, rules)
    encoded = to_json(message)
    try:
        read_order(encoded, rules)
    except CommandRefused as refused:
        raise DocumentError([Problem("", message["action"], refused.detail)]) from None
    return encoded
