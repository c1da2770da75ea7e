"""Dead letters of a `World`: what is on the topic, and asking for a replay as the console does."""

import json
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agents.chunks import Parcel, encode_parcel
from agents.letters import Letter
from agents.replay_messages import Ask, encode, home_of
from domain.aggregation.instants import parse_instant
from tests.agents.world import NAMES, World


@dataclass
class Told:
    """A letter by what the topic says: as first sent or refused last, and when it was replayed."""

    letter: Letter
    replayed: bool
    tried: int
    times: int
    first_reason: str


def letters(world: World) -> dict[str, Told]:
    """The letters on the topic by id. A letter has one content of its own but reason and detail."""
    found: dict[str, Told] = {}
    replays: dict[str, set[str]] = {}
    for record in world.outputs("dead-letters"):
        made = letter(record)
        assert record["id"] == made.id
        known = found.get(made.id)
        if known is None:
            found[made.id] = Told(
                made, "replayed_at" in record, int("tried_at" in record), 1, made.reason
            )
        else:
            assert made.original == known.letter.original
            known.times += 1
            known.tried += "tried_at" in record
            known.replayed = known.replayed or "replayed_at" in record
        if "replayed_at" in record:
            replays.setdefault(made.id, set()).add(json.dumps(record, sort_keys=True))
    assert all(len(told) == 1 for told in replays.values())  # one replay, whatever was repeated
    return found


def letter(record: dict[str, Any]) -> Letter:
    return Letter(
        record["topic"], record["partition"], record["offset"], record["aggregator"],
        record["reason"], record["detail"], b64decode(record["original"]), record["version"],
        parse_instant(record["at"]) or 0,
    )  # fmt: skip


async def ask(world: World, wanted: Iterable[Letter], command: str) -> None:
    """Asks for a replay, each letter at its home."""
    for one in wanted:
        message = encode(Ask(one, command, world.clock.now_ms()))
        parcel = encode_parcel(Parcel(0, [], [], replays=[message]))
        home = home_of(one.id, world.partitions)
        await world.log.append(NAMES.sessions_in, home, [(None, parcel, None, ())])


def replay(world: World, command: str = "c", wanted: Iterable[Letter] | None = None) -> None:
    """Asks for all letters not yet replayed (or these), and works until nothing waits."""
    if wanted is None:
        wanted = [told.letter for told in letters(world).values() if not told.replayed]
    world.run(ask(world, wanted, command))
    world.settle()
