"""Operators' commands on their way: from topic `config` to the shards whose sessions they are for.

The agent that has `config` hands a command on to each shard concerned, on its stream, before it
notes the message as read. After a kill it hands it on again; the shard knows it by its position. So
a command has its place among the routed records of each partition, and among the documents: the
versions that it is read by are those in force where it stands.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from agents.chunks import Order, Parcel, encode_parcel
from agents.told import Asked, TellAsked, is_audited
from config.commands import KIND, read_command
from config.documents.base import DocumentError
from config.topics import CONFIG
from connectors.streams.murmur2 import partition_for
from domain.aggregation.command import Command, Selection
from domain.aggregation.extract import placer
from domain.aggregation.numbers import float_hook
from domain.aggregation.rule import Rule
from domain.errors import SluiceError
from tables.documents import Documents
from tables.stream import Item

MESSAGE_BYTES = 64 * 1024  # it travels with every commit of the shard while it is under way
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=float_hook).decode


class CommandRefused(SluiceError):
    """A message that looks like a command and is none."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


def is_command(key: bytes | None) -> bool:
    """Whether a control message of that key is a command, or what takes one away."""
    return key is not None and key.startswith(KIND.encode() + b"/")


def read_order(message: bytes, rules: list[Rule]) -> Command:
    """The command of a message's bytes, by these versions; raises CommandRefused."""
    if len(message) > MESSAGE_BYTES:
        raise CommandRefused(f"{len(message)} bytes, a command has {MESSAGE_BYTES} at most")
    try:
        found = _decode(message)
        if "name" in found:
            found.setdefault("id", found["name"])
        return read_command(found, rules)
    except DocumentError as error:
        raise CommandRefused("; ".join(map(str, error.problems))) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CommandRefused(f"the message is no JSON object: {error}") from None


def aggregator_of(message: bytes) -> str:
    """The aggregator that a command names, "" for none."""
    try:
        name = _decode(message).get("aggregator")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return name if isinstance(name, str) else ""


def concerned(selection: Selection, shards: int) -> list[int]:
    """The shards that may have such sessions."""
    if selection.exact is None:
        return list(range(shards))
    return sorted(
        {partition_for(placer(rule.document)(key), shards) for rule, key in selection.exact}
    )


class CommandDesk:
    """Hands commands on. `shards(documents)` is by how many records are routed; `send(shard,
    parcel)` returns when that is durable; `done(partition, key)` takes a message off the
    compacted topic; `tell` writes the trail."""

    def __init__(
        self,
        shards: Callable[[Documents], int],
        send: Callable[[int, bytes], Awaitable[None]],
        done: Callable[[int, bytes], Awaitable[None]],
        tell: TellAsked | None = None,
    ) -> None:
        self._tell = tell
        self._shards = shards
        self._send = send
        self._done = done

    async def take(self, documents: Documents, partition: int, item: Item) -> None:
        """Hands one on to all shards concerned, in order; raises CommandRefused."""
        offset, timestamp, key, message, _ = item
        if message is None or key is None:
            return
        growth = documents.growths.latest
        if growth is not None and growth.moving:
            raise CommandRefused(
                f"partitions are growing from {growth.before} to {growth.after}: "
                "sessions are on the move; give it again when `sluice topics grow` is done"
            )
        name = aggregator_of(message)
        rules = documents.versions_of(name)
        if not rules:
            raise CommandRefused(f"aggregator: there has never been one named {name!r}")
        command = read_order(message, rules)
        if key != f"{KIND}/{command.id}".encode():
            raise CommandRefused(f"key: expected {KIND}/{command.id}")
        shards = concerned(Selection(rules, command), self._shards(documents))
        order = Order(
            partition,
            offset,
            name,
            rules[-1].version,
            documents.revision,
            shards,
            timestamp,
            message,
        )
        if self._tell is not None and not is_audited(item):
            action = f"sessions.{command.action}"
            asked = Asked(
                CONFIG, partition, offset, timestamp, command.actor, action, name, command.reason
            )
            await self._tell([asked])
        parcel = encode_parcel(Parcel(documents.revision, [], orders=[order]))
        for shard in shards:
            await self._send(shard, parcel)
        await self._done(partition, key)


def answer_of(order: Order, command: Command, told: Mapping[str, Any]) -> dict[str, Any]:
    """The record on `aggregates.audit` that answers a command for one partition."""
    alone = len(order.shards) == 1
    return {
        "id": command.id if alone else f"{command.id}-{told['partition']}",
        "kind": KIND,
        "aggregator": order.aggregator,
        "version": order.version,
        "partitions": order.shards,
        **told,
    }
