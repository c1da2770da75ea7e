"""Commands about campaigns: records on `campaign-events`, answered by the shards they are for.

A command is given once it is durable. Its id is made of its Idempotency-Key, so a repeat is
answered as the first was: the shard carries out an id once, and keeps the answer for 7 days.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from agents.campaign_route import OVER_ALL, Unreadable, decode_event, path_of, shards_of
from agents.told import HEADERS
from app.campaign_shapes import Commanded, Mistake, RefusedAction, RefusedChange
from app.facade.appends import Appends
from app.facade.campaigns.asking import Asking
from app.shapes import Change, Idempotency
from connectors.streams.base import Row
from domain.campaigns.keys import flow_of_request
from tables.ledger import Source

EVENTS = "campaign-events"
LOOK_S = 0.03
_encode = msgspec.json.Encoder(order="sorted").encode

REMEMBERED = 10_000  # commands: some MB, and more than are given while one waits

Answer = Mapping[str, Any]
"""As `domain.campaigns.commands.command_json` makes it."""
Position = tuple[int, int]
"""Partition and offset of a record on `campaign-events`."""


class Way(NamedTuple):
    """The shards that a command goes to, and its offset in what they apply from `source`."""

    source: Source
    offset: int
    shards: Sequence[int]


class Commands:
    """Gives commands and tells what became of them."""

    def __init__(self, appends: Appends, asking: Asking) -> None:
        self._appends, self._asking = appends, asking
        self._given: dict[str, Position] = {}  # the last ones, for who asks by their id alone

    async def give(
        self,
        command: str,
        request_id: str,
        ids: Sequence[str],
        parts: Sequence[Mapping[str, Any]],
        change: Change,
        dry_run: bool,
    ) -> list[str]:
        """Makes commands durable, one for each of the bodies; their ids. Raises
        IdempotencyConflict when the key stands for others."""
        # ids of a request with a key are the same each time, others are not compared
        basis = _encode([command, request_id, list(parts), dry_run])
        rows: list[Row] = [
            (
                # what is for all shards keeps its order, as what is about a request does
                (request_id or command).encode(),
                _encode(
                    {
                        "kind": "command",
                        "id": ident,
                        "command": command,
                        "request_id": request_id,
                        "actor": change.actor,
                        "reason": change.reason,
                        "dry_run": dry_run,
                        "body": body,
                    }
                ),
                None,
                HEADERS,
            )
            for ident, body in zip(ids, parts, strict=True)
        ]
        idempotency = None
        if change.idempotency_key is not None:
            fingerprint = blake2b(basis, digest_size=16).hexdigest()
            idempotency = Idempotency(change.idempotency_key, fingerprint)
        done = await self._appends.append(EVENTS, rows, idempotency)
        if len(done.last) == 1:  # a repeat of what an older version spread has several
            self._given[ids[-1]] = next(iter(done.last.items()))
            while len(self._given) > REMEMBERED:
                del self._given[next(iter(self._given))]
        return list(ids)

    def running(self, ident: str) -> Commanded:
        """A command that was given here and isn't over."""
        return Commanded(ident, "running", position=self._given.get(ident))

    async def change(
        self,
        command: str,
        request_id: str,
        body: Mapping[str, Any],
        change: Change,
        dry_run: bool,
        wait_s: float,
    ) -> Commanded:
        """One command about a campaign that there is. Raises RefusedAction, RefusedChange."""
        ids = ids_of(command, request_id, change, 1)
        (ident,) = await self.give(command, request_id, ids, [body], change, dry_run)
        found = await self.answered(ident, flow_of_request(request_id), wait_s)
        if found is None:
            return self.running(ident)
        return outcome(ident, found)

    async def answered(self, ident: str, flow: str, wait_s: float) -> Answer | None:
        """The answer of a flow's shard; None when there is none within `wait_s`."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        while True:
            found: Answer | None = await self._asking.of_flow("command", flow, id=ident)
            if found is not None and found["state"] != "running":
                return found
            if clock() >= until:
                return None
            await asyncio.sleep(LOOK_S)

    async def answered_by_all(self, ident: str, wait_s: float) -> list[Answer] | None:
        """The answers of all shards; None when they are not all there within `wait_s`."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        while True:
            told = list((await self._asking.all("command", id=ident)).values())
            if all(one is not None and one["state"] != "running" for one in told):
                return told
            if clock() >= until:
                return None
            await asyncio.sleep(LOOK_S)

    async def one(self, ident: str, wait_s: float, at: Position | None = None) -> Commanded | None:
        """See `CampaignsBackend.campaign_command`."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        at = at or self._given.get(ident)
        way = None if at is None else await self._way_of(ident, at)
        source = None if way is None else way.source
        while True:
            told = await self._asking.whole("command", id=ident, source=source)
            known = [one["told"] for one in told.values() if one["told"] is not None]
            coming = any(one["told"] is None for one in told.values()) if over_all(known) else False
            if way is not None:
                coming = any(
                    told[number]["told"] is None and told[number].get("applied", -1) < way.offset
                    for number in way.shards
                )
            if known and not coming and all(one["state"] != "running" for one in known):
                first = known[0]
                if first["state"] == "refused":
                    result = {name: first[name] for name in ("because", "open_at")}
                    return Commanded(ident, "refused", {**first["result"], **result})
                return Commanded(ident, "done", merged([one["result"] for one in known]))
            if clock() >= until:
                return Commanded(ident, "running", position=at) if known or coming else None
            await asyncio.sleep(LOOK_S)

    async def _way_of(self, ident: str, at: Position) -> Way | None:
        """Which way the command at that position goes; None when there is another, or none."""
        body = await self._appends.record_at(EVENTS, *at)
        try:
            event = decode_event(EVENTS, body or b"")
            if event.get("kind") != "command" or event.get("id") != ident:
                return None
            shards = shards_of(event, self._asking.shards)
        except Unreadable:
            return None
        return Way((path_of(event), EVENTS, at[0]), at[1], shards)


def over_all(known: Sequence[Answer]) -> bool:
    """Whether it is a command that every shard gets."""
    return any(one["action"] in OVER_ALL for one in known)


def ids_of(command: str, request_id: str, change: Change, parts: int) -> list[str]:
    """The ids of a command's parts, the last of which is that of the whole."""
    if change.idempotency_key is None:
        whole = uuid4().hex
    else:
        text = "\0".join((command, request_id, change.idempotency_key))
        whole = blake2b(text.encode(), digest_size=16).hexdigest()
    return [*(f"{whole}-{n}" for n in range(parts - 1)), whole]


def outcome(ident: str, found: Answer) -> Commanded:
    """A command that is over. Raises RefusedAction, RefusedChange."""
    if found["state"] == "refused":
        if found["status"] == 422:
            errors = found["result"].get("errors") or []
            raise RefusedChange([Mistake(e["path"], e["value"], e["expected"]) for e in errors])
        raise RefusedAction(found["action"], found["because"] or "", found["open_at"])
    return Commanded(ident, "done", found["result"])


def merged(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The results of several shards as one: what each has changed adds up."""
    whole = dict(results[0])
    for result in results[1:]:
        whole["touched"] = whole["touched"] + result["touched"]
        if isinstance(whole["by"], Mapping):  # of a list, it is who brought it
            whole["by"] = added(whole["by"], result["by"])
        if "fdds" in whole and "fdds" in result:
            whole["fdds"] = added(whole["fdds"], result["fdds"])
    hits = [int(whole.pop("hits"), 16)] if "hits" in whole else []
    if hits:  # a number may be matched by several shards: it counts once
        hits += [int(result["hits"], 16) for result in results[1:]]
        whole["matched"] = reduce(or_, hits).bit_count()
        whole["unknown"] = whole["rows"] - whole["invalid"] - whole["matched"]
    return whole


def added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Sums by name."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}
