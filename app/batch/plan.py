"""Which files a run takes, and which it refuses: no record of a file is counted twice unasked."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.batch.ledger import File, Ledger, Listed, Taken, topic_of
from connectors.formats.files import Source
from connectors.formats.records import Position
from domain.errors import SluiceError, UsageError


class AlreadyTaken(SluiceError):
    """A file with the same bytes was taken before, or is given twice (exit 1)."""

    def __init__(self, name: str, before: str, by: Sequence[str] = ()) -> None:
        self.name = name
        known = f" as {before}" if before != name else ""
        told = f"{name} was taken before{known}, by {', '.join(by)}"
        if not by:
            told = f"{name} is given twice" + (f", it has the same bytes as {before}" * bool(known))
        super().__init__(f"{told}: nothing was counted\n--again counts its records once more")


class RunUnfinished(UsageError):
    """The last run was killed, and a file of it is missing from the command (exit 2)."""

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        where = f"after line {line:,} of {name}" if line else f"before it took {name}"
        super().__init__(
            f"the last run on this state was killed {where}; expected that file again, to go on",
            "--abandon leaves the run's files as far as they were applied",
        )


@dataclass
class Entry:
    """A file to be taken. `file` is what the state knows of it; it changes as the file is read."""

    source: Source
    take: int
    file: File

    @property
    def topic(self) -> str:
        return topic_of(self.source.digest, self.take)

    @property
    def listed(self) -> Listed:
        return Listed(self.source.digest, self.take, self.source.name)

    def begin(self, names: Sequence[str]) -> None:
        """Makes this take that of the aggregators that did not begin it yet."""
        while len(self.file.names) < self.take:
            self.file.names.append(self.source.name)
        for name in names:
            taken = self.file.taken.get(name)
            if taken is None or taken.take != self.take:
                self.file.taken[name] = Taken(self.take)

    def begun(self) -> bool:
        """Whether some of it is applied."""
        return any(taken.take == self.take and taken.line for taken in self.file.taken.values())

    def start(self, names: Sequence[str]) -> Position:
        """Where the aggregator that is least far goes on."""
        return min(self.file.taken[name].position for name in names)

    def is_done(self, names: Sequence[str]) -> bool:
        """Whether all of these aggregators have had this take."""
        return all(_has_had(self.file, name, self.take) for name in names)


@dataclass
class Plan:
    """`entries` in the order in which they are taken; `given_up` are files of a run that was killed
    that nobody wants to go on with."""

    entries: list[Entry]
    given_up: list[Listed]


def plan(
    ledger: Ledger,
    sources: Sequence[Source],
    names: Sequence[str],
    *,
    remembered: bool,
    again: bool = False,
    abandon: bool = False,
) -> Plan:
    """What a run of the aggregators `names` takes of `sources`. Raises AlreadyTaken, RunUnfinished.

    `remembered`: there is a state that outlives the run.
    """
    waiting = list(ledger.listed) if ledger.killed else []
    files: dict[bytes, File] = {}
    takes: dict[bytes, int] = {}
    entries: list[Entry] = []
    for source in sources:
        file = files.setdefault(source.digest, ledger.file(source.digest))
        matched = next((each for each in waiting if each.digest == source.digest), None)
        if matched is not None:
            waiting.remove(matched)
            entry = Entry(source, matched.take, file)
            if entry.is_done(names):
                continue
        else:
            if remembered and not again:
                _check(source, file, names, entries)
            last = takes.get(source.digest, len(file.names))
            going_on = [] if source.digest in takes else _unfinished(file, names)
            entry = Entry(source, max(going_on, default=last + 1), file)
        takes[source.digest] = entry.take
        entries.append(entry)
    waiting = [
        each
        for each in waiting
        if not all(_has_had(ledger.file(each.digest), name, each.take) for name in names)
    ]
    if waiting and not abandon:
        taken = ledger.file(waiting[0].digest).taken.values()
        lines = [each.line for each in taken if each.take == waiting[0].take]
        raise RunUnfinished(waiting[0].name, max(lines, default=0))
    entries.sort(key=lambda entry: not entry.begun())
    return Plan(entries, waiting)


def _has_had(file: File, name: str, take: int) -> bool:
    taken = file.taken.get(name)
    return taken is not None and (taken.take > take or (taken.take == take and taken.done))


def _unfinished(file: File, names: Sequence[str]) -> list[int]:
    """Takes that some of the aggregators have begun and not finished."""
    return [
        file.taken[name].take for name in names if name in file.taken and not file.taken[name].done
    ]


def _check(source: Source, file: File, names: Sequence[str], entries: Sequence[Entry]) -> None:
    by = [name for name in names if name in file.taken and file.taken[name].done]
    if by:
        raise AlreadyTaken(source.name, file.names[-1], by)
    for entry in entries:
        if entry.source.digest == source.digest:
            raise AlreadyTaken(source.name, entry.source.name)
