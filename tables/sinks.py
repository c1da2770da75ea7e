"""How far every sink is, by partition of its topic, with its totals; and what targets refused.

`<app>-sinks-changelog`, one partition (a *lane*) one writer, holds by sink/topic/partition one row:
the next offset and the counts of all before it. Both are one record, so they always agree. A
refusal is a row of its own, written when it is decided, before the position passes it: at or above
the position it is a decision that holds (the record is not sent again), below it history for
`taken`, kept as long as the topic keeps the record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from tables.changelog import Change
from tables.claimed import ClaimedLog

Key = tuple[str, str, int]
"""(sink, public topic, partition)"""

PLACE, REFUSED = "place", "refused"


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Records before the position: `accepted` by the target, `refused` for good, `passed` over (not
    this sink's), `repeated` (the target had taken the same one before), `missed` (deleted from the
    topic before it could be delivered)."""

    accepted: int = 0
    refused: int = 0
    passed: int = 0
    repeated: int = 0
    missed: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.passed + other.passed,
            self.repeated + other.repeated,
            self.missed + other.missed,
        )


class Place(msgspec.Struct, frozen=True, array_like=True):
    """`next` is the offset of the next record to deliver, `start` that of the first this sink was
    there for. `closing`: a file was decided on, which holds the records from `next` to before
    `closing`, counted in `closed`; -1 without one."""

    next: int
    start: int
    counts: Counts = Counts()
    closing: int = -1
    closed: Counts = Counts()

    def moved(self, to: int, counts: Counts) -> "Place":
        """Moved on, past records of these counts."""
        return Place(to, self.start, self.counts.plus(counts))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Place).decode


@dataclass
class SinkLog(ClaimedLog):
    """One lane. `open` first; appends of several tasks follow each other."""

    places: dict[Key, Place] = field(default_factory=dict)
    refused: dict[Key, dict[int, str]] = field(default_factory=dict)

    async def put(self, key: Key, place: Place, refused: Mapping[int, str] | None = None) -> None:
        """Moves a sink on; durable when it returns. Raises Fenced."""
        refusals = {(*key, offset): text for offset, text in (refused or {}).items()}
        await self._append([_place_change(key, place), *map(_refused_change, refusals.items())])

    async def refuse(self, key: Key, refused: Mapping[int, str]) -> None:
        """Decides that records (offset -> id) are not sent any more; durable when it returns."""
        await self._append([_refused_change(((*key, at), text)) for at, text in refused.items()])

    async def forget(self, key: Key, offsets: Iterable[int]) -> None:
        """Drops refusals of records that the topic no longer has."""
        changes: list[Change] = [(_refused_key((*key, offset)), None) for offset in offsets]
        if changes:
            await self._append(changes)

    def _current(self, key: bytes) -> Change:
        kind, *parts = key.decode().split("\0")
        at = (parts[0], parts[1], int(parts[2]))
        if kind == PLACE:
            place = self.places.get(at)
            return (key, None) if place is None else _place_change(at, place)
        offset = int(parts[3])
        text = self.refused.get(at, {}).get(offset)
        return (key, None) if text is None else _refused_change(((*at, offset), text))

    def _take(self, changes: Iterable[Change]) -> None:
        for key, body in changes:
            kind, *parts = key.decode().split("\0")
            at = (parts[0], parts[1], int(parts[2]))
            if kind == PLACE and body is not None:
                self.places[at] = _decode(body)
            elif kind == REFUSED and body is None:
                self.refused.get(at, {}).pop(int(parts[3]), None)
            elif kind == REFUSED and body is not None:
                self.refused.setdefault(at, {})[int(parts[3])] = body.decode()


def _place_change(key: Key, place: Place) -> Change:
    return "\0".join((PLACE, key[0], key[1], str(key[2]))).encode(), _encode(place)


def _refused_key(at: tuple[str, str, int, int]) -> bytes:
    return "\0".join((REFUSED, at[0], at[1], str(at[2]), str(at[3]))).encode()


def _refused_change(item: tuple[tuple[str, str, int, int], str]) -> Change:
    return _refused_key(item[0]), item[1].encode()
