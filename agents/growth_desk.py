"""Growths, as the agent that has topic `config` drives them (see `tables/growths.py`).

Messages under `growth/<shards>` ask for one; `growth/<shards>/moved/<shard>` tell that an old shard
has given its rows away, `growth/<shards>/crossed/<topic>/<partition>` that an input partition is
past the switch. All of them may come again. What follows from one is durable before it is noted as
read.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from agents.chunks import Parcel, encode_parcel
from config.topics import FIXED
from domain.errors import SluiceError
from tables.changelog import Change
from tables.documents import Documents
from tables.growths import Growth, growth_change

KIND = b"growth/"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
MOST = 1_000  # partitions: a hundred for each of ten workers


class GrowthRefused(SluiceError):
    """A message about a growth that can't be done."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


def is_growth(key: bytes | None) -> bool:
    """Whether a control message of that key is about a growth."""
    return key is not None and key.startswith(KIND)


def ask(shards: int, inputs: Sequence[str], actor: str, reason: str) -> tuple[bytes, bytes]:
    """(key, value) of the message that asks for a growth; it widens these inputs too."""
    body = {"shards": shards, "inputs": list(inputs), "actor": actor, "reason": reason}
    return KIND + str(shards).encode(), msgspec.json.encode(body)


def moved(shards: int, shard: int) -> tuple[bytes, bytes]:
    """(key, value) of the message that a shard has given its rows away."""
    return KIND + f"{shards}/moved/{shard}".encode(), msgspec.json.encode({"moved": shard})


def crossed(shards: int, topic: str, partition: int) -> tuple[bytes, bytes]:
    """(key, value) of the message that an input partition is past the switch."""
    key = KIND + f"{shards}/crossed/{topic}/{partition}".encode()
    return key, msgspec.json.encode({"crossed": [topic, partition]})


def problem_of(documents: Documents, present: int, shards: Any) -> str | None:
    """Why the shards can't grow to that many now; None when they can. There are `present`."""
    growth = documents.growths.latest
    if growth is not None and not growth.finished:
        return f"the growth from {growth.before} to {growth.after} partitions is not yet finished"
    now = documents.growths.target(present)
    if type(shards) is not int or not now < shards <= MOST:
        return f"shards: {shards!r} is not accepted, expected a whole number, {now + 1} to {MOST}"
    return None


def may_grow(documents: Documents) -> set[str]:
    """The public topics of inputs that a growth can widen: no others know where records of a key
    are on them.
    """
    return documents.known_inputs() - documents.outputs() - FIXED


def problem_of_inputs(documents: Documents, inputs: Iterable[str]) -> str | None:
    """Why these can't be widened; None when they can."""
    named = set(inputs)
    unknown = named - documents.known_inputs()
    if unknown:
        return f"inputs: {', '.join(sorted(unknown))}: no aggregator reads there"
    fixed = named - may_grow(documents)
    if fixed:
        return (
            f"inputs: {', '.join(sorted(fixed))}: the product itself finds records there by key, "
            "so it stays as wide as it is; leave it out, sessions grow without it"
        )
    return None


class GrowthDesk:
    """See the module.

    `counts()` are topics' partitions by public name and `present()` the number of shards;
    `widen(shards, inputs)` makes the topics as wide; `send(shard, parcel)` and `done(partition,
    key)` return when that is durable.
    """

    def __init__(
        self,
        present: Callable[[], Awaitable[int]],
        partitions_of: Callable[[str], Awaitable[int]],
        widen: Callable[[int, Sequence[str]], Awaitable[None]],
        send: Callable[[int, bytes], Awaitable[None]],
        done: Callable[[int, bytes], Awaitable[None]],
    ) -> None:
        self._present = present
        self._partitions_of = partitions_of
        self._widen = widen
        self._send = send
        self._done = done

    async def begin(
        self, documents: Documents, key: bytes, value: bytes | None, now_ms: int
    ) -> Change | None:
        """What the log must have before `follow` does what comes of the message; raises
        GrowthRefused.
        """
        shards, said = _read(key, value)
        if "shards" not in said or shards in {each.after for each in documents.growths.known}:
            return None
        present = await self._present()
        problem = problem_of(documents, present, said["shards"])
        if problem is not None or said["shards"] != shards:
            raise GrowthRefused(problem or f"key: expected growth/{said['shards']}")
        actor, reason = (str(said.get(field) or "") for field in ("actor", "reason"))
        inputs = tuple(topic for topic in said.get("inputs") or () if isinstance(topic, str))
        problem = problem_of_inputs(documents, inputs)
        if problem is not None:
            raise GrowthRefused(problem)
        before = documents.growths.target(present)
        begun = documents.revision + 1
        return growth_change(Growth(before, shards, begun, inputs, actor, reason, now_ms))

    async def follow(
        self, documents: Documents, partition: int, key: bytes, value: bytes | None
    ) -> Change | None:
        """Does what comes of the message, and returns the change that says so."""
        shards, said = _read(key, value)
        if not said:
            return None  # taken off the topic
        growth = next((g for g in documents.growths.known if g.after == shards), None)
        if growth is None:
            raise GrowthRefused(f"there is no growth to {shards} partitions")
        changed = growth
        if "shards" in said:
            await self._start(documents, growth)
        elif "moved" in said:
            changed = await self._moved(documents, growth, said["moved"])
        elif "crossed" in said:
            changed = await self._crossed(documents, growth, tuple(said["crossed"]))
        if key.count(b"/") > 1:
            await self._done(partition, key)
        return None if changed == growth else growth_change(changed)

    async def _start(self, documents: Documents, growth: Growth) -> None:
        if growth.switched:
            return
        await self._widen(growth.after, growth.inputs)
        give = encode_parcel(Parcel(documents.revision, [], give=growth.after))
        for shard in range(growth.before):
            await self._send(shard, give)

    async def _moved(self, documents: Documents, growth: Growth, shard: int) -> Growth:
        if growth.switched:
            return growth
        moved = tuple(sorted({*growth.moved, shard}))
        growth = msgspec.structs.replace(growth, moved=moved)
        if len(moved) < growth.before:
            return growth
        waiting = [
            (topic, partition)
            for topic in sorted(documents.known_inputs())
            for partition in range(await self._partitions_of(topic))
        ]
        growth = msgspec.structs.replace(
            growth, switched=documents.revision + 1, waiting=tuple(waiting)
        )
        return growth if waiting else await self._finish(documents, growth)

    async def _crossed(self, documents: Documents, growth: Growth, at: tuple[Any, ...]) -> Growth:
        if not growth.switched or growth.finished:
            return growth
        waiting = tuple(each for each in growth.waiting if each != at)
        growth = msgspec.structs.replace(growth, waiting=waiting)
        return growth if waiting else await self._finish(documents, growth)

    async def _finish(self, documents: Documents, growth: Growth) -> Growth:
        release = encode_parcel(Parcel(documents.revision, [], release=growth.after))
        for shard in range(growth.after):
            await self._send(shard, release)
        return msgspec.structs.replace(growth, finished=True)


def _read(key: bytes, value: bytes | None) -> tuple[int, dict[str, Any]]:
    number = key.split(b"/")[1]
    if not number.isdigit():
        raise GrowthRefused("key: expected growth/ and the number of partitions")
    try:
        return int(number), _decode(value or b"{}")
    except msgspec.MsgspecError as error:
        raise GrowthRefused(f"the message is no JSON object: {error}") from None
