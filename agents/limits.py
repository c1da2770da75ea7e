"""The limit above which a worker stops instead of emptying a topic into dead letters.

What an input partition's run is stands in its routing decision, and that of what sessions refuse in
their shard's marks: a worker that is started again stops again, until the documents have changed or
the limit is another one.
"""

from collections.abc import Callable, Sequence

from agents.chunks import Chunk
from agents.letters import Letter
from agents.route import Routed
from domain.aggregation.fold import Rejection
from domain.aggregation.limit import Limit, streaks
from domain.aggregation.rule import Rule
from domain.errors import Fatal
from tables.routes import Route
from tables.stream import Item


class TooManyLetters(Fatal):
    """A topic would be emptied into dead letters. `aggregator` "" is none in particular, `last`
    tells of the last one refused; everything before offset `decided` is decided.
    """

    def __init__(
        self, much: str, topic: str, partition: int, aggregator: str, last: str, decided: int | None
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.aggregator = aggregator
        self.decided = decided
        upto = "" if decided is None else f"everything before offset {decided} is decided, "
        super().__init__(
            f"{topic} partition {partition}: {much} were refused for "
            f"{aggregator or 'all aggregators'}, {last}; {upto}the rest waits on the topic and "
            "nothing is lost",
            "mend the document (a process with --role console takes `sluice config apply` "
            "meanwhile) or the producer, then start the worker again. To have the rest made dead "
            "letters, start it with SLUICE_DEAD_LETTER_STREAK=0 and SLUICE_DEAD_LETTER_SHARE=0",
        )


def runs_after(
    limit: Limit, route: Route, topic: str, partition: int, revision: int,
    items: Sequence[Item], routed: Routed,
) -> dict[str, list[int]]:  # fmt: skip
    """The runs of the partition when these records are decided. Raises TooManyLetters."""
    known = route.runs if route.runs_revision == revision else {}
    if not known and not routed.letters:
        return {}
    letters: dict[str, list[Letter]] = {}
    for letter in routed.letters:
        letters.setdefault(letter.aggregator or "", []).append(letter)
    unreadable = len(letters.get("", ()))
    found: dict[str, list[int]] = {}
    for name in known.keys() | letters.keys():
        mine = letters.get(name, [])
        taken = len(items) - len(mine)
        if name:
            taken -= unreadable + routed.filtered.get(name, 0)
        before = known[name][0] if name in known else 0
        longest = trailing = 0
        mine.sort(key=_offset)
        refused = [letter.offset for letter in mine]
        if mine:
            longest, trailing = streaks(before, refused, _taken(name, items, refused, routed))
        run = limit.run(known.get(name), len(mine), taken, trailing)
        if mine and (much := limit.exceeded(run, longest)):
            last = f"the last at offset {refused[-1]} ({mine[-1].reason}: {mine[-1].detail})"
            raise TooManyLetters(much, topic, partition, name, last, route.decided)
        if run is not None:
            found[name] = run
    return found


def _offset(letter: Letter) -> int:
    return letter.offset


def _taken(name: str, items: Sequence[Item], refused: Sequence[int], routed: Routed) -> list[int]:
    """Offsets of the records that the aggregator took ("": that could be read), in order."""
    if not name:
        bad = set(refused)
        return [item[0] for item in items if item[0] not in bad]
    chunks = [*routed.own, *(chunk for found in routed.chunks.values() for chunk in found)]
    return sorted(
        entry[0]
        for chunk in chunks
        if chunk.aggregator == name
        for _, entries in chunk.groups
        for entry in entries
    )


def campaign_run(
    limit: Limit,
    known: Sequence[int] | None,
    topic: str,
    partition: int,
    refused: Sequence[Letter],
    taken: Sequence[int],
) -> list[int] | None:
    """The run of a topic about campaigns after these records, `taken` by their offsets in order.
    Raises TooManyLetters."""
    if not refused and known is None:
        return None
    before = known[0] if known else 0
    longest, trailing = streaks(before, [letter.offset for letter in refused], taken)
    run = limit.run(known, len(refused), len(taken), trailing)
    if refused and (much := limit.exceeded(run, longest)):
        why = refused[-1]
        last = f"the last at offset {why.offset} ({why.reason}: {why.detail})"
        raise TooManyLetters(much, topic, partition, "campaigns", last, None)
    return run


def session_run(
    limit: Limit,
    known: dict[str, list[int]],
    chunk: Chunk,
    rejections: Sequence[Rejection],
    records: int,
    latest: Callable[[str], Rule],
) -> None:
    """Counts what sessions refused of a chunk. Raises TooManyLetters, unless the aggregator has a
    later version: then what was routed before it runs out.
    """
    if not known and not rejections:
        return
    name = f"{chunk.topic}/{chunk.partition}/{chunk.aggregator}/{chunk.version}"
    run = limit.run(known.get(name), len(rejections), records - len(rejections), 0)
    much = limit.exceeded(run) if rejections else ""
    if much and latest(chunk.aggregator).version == chunk.version:
        refused = rejections[-1]
        last = f"the last at offset {refused.offset} ({refused.reason}: {refused.detail})"
        raise TooManyLetters(much, chunk.topic, chunk.partition, chunk.aggregator, last, None)
    if run is None:
        known.pop(name, None)
    else:
        known[name] = run
