"""The documents in force, their versions and history, on every worker, from one log.

`<app>-documents-changelog` holds, by kind/name/version, every version ever applied, and by config
partition how far the control messages have been read. Its one writer is the `documents` agent; all
workers follow it. Every version has a *revision*, one higher than that of the version before it,
whichever document that was: equal revisions mean equal documents.
"""

import asyncio
import bisect
from dataclasses import dataclass, field, replace

import msgspec

from config.documents.base import DocumentError
from config.documents.registry import load_stored
from domain.aggregation.document import Aggregator
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import Invariant
from tables import growths
from tables.changelog import Change, Changelog
from tables.growths import Growths
from tables.out_of_service import OutOfService, Unread

READ = b"\0read/"
"""READ + config partition: the last offset of it that was read."""


class Version(msgspec.Struct, frozen=True):
    """One version; `document` is its JSON text, None a removal. `position` is that of its control
    message, `letter` the dead letter that was replayed as that message.
    """

    kind: str
    name: str
    version: int
    document: str | None
    actor: str
    reason: str
    at: int
    position: tuple[int, int]
    revision: int
    letter: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Version).decode


@dataclass
class Documents:
    """See the module. `revision` rises as the log is followed; nothing else changes.

    `rules` and `unread`: the versions of aggregators that this release can follow, and the others.
    """

    revision: int = 0
    read: dict[int, int] = field(default_factory=dict)
    history: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    rules: dict[tuple[str, int], Rule] = field(default_factory=dict)
    unread: dict[tuple[str, int], Unread] = field(default_factory=dict)
    placements: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    letters: set[str] = field(default_factory=set)
    growths: Growths = field(default_factory=Growths)

    def take(self, changes: list[Change]) -> None:
        """Changes of the log, in order; versions known already are passed over."""
        for key, body in changes:
            if body is None:
                continue
            if key.startswith(READ):
                self.read[int(key[len(READ) :])] = int(body)
                continue
            if key.startswith(growths.PREFIX):
                self.growths.take((key, body))
                self.revision = max(self.revision, self.growths.revision)
                continue
            version = _decode(body)
            versions = self.history.setdefault((version.kind, version.name), [])
            if versions and versions[-1].version >= version.version:
                continue
            versions.append(version)
            if version.letter:
                self.letters.add(version.letter)
            if version.kind == "aggregator" and version.document is not None:
                self._compile(version)
            partition, offset = version.position
            self.read[partition] = max(offset, self.read.get(partition, -1))
            self.revision = max(self.revision, version.revision)

    def _compile(self, version: Version) -> None:
        body = exact_json((version.document or "").encode())
        at = version.name, version.version
        try:
            document = load_stored(body)
        except DocumentError as error:
            self.unread[at] = Unread.of("; ".join(map(str, error.problems)), body)
            return
        if not isinstance(document, Aggregator):
            raise Invariant("a document is of its kind", f"{version.kind}/{version.name}")
        place = document.name, document.group_spec()
        for (name, number), unread in self.unread.items():
            other = name == version.name and unread.keyed_by != document.keyed_by
            if other and place not in self.placements:
                reason = f"version {number}, which may have placed its sessions, can't be read"
                self.unread[at] = Unread.of(reason, body)
                return
        placement = self.placements.setdefault(place, document.keyed_by)
        self.rules[document.name, version.version] = compile_rule(
            replace(document, keyed_by=placement), version.version
        )

    def rule(self, name: str, version: int) -> Rule:
        """The compiled version of an aggregator; raises Invariant when there is none, OutOfService
        when it can't be read.
        """
        found = self.rules.get((name, version))
        if found is None:
            if (name, version) in self.unread:
                raise self.missing(name, version)
            raise Invariant("a session's document is known", f"aggregator {name} version {version}")
        return found

    def newest(self, name: str) -> Rule:
        """The newest version of an aggregator, removed or not, that can be read; raises as above
        when none can.
        """
        numbers = [number for known, number in self.rules if known == name]
        numbers = numbers or [number for known, number in self.unread if known == name]
        return self.rule(name, max(numbers))

    def missing(self, name: str, version: int) -> OutOfService:
        """What is to be told of an aggregator's version that can't be read."""
        unread = self.unread[name, version]
        return OutOfService("aggregator", name, version, unread.reason, unread.sums)

    def lost(self, name: str) -> OutOfService | None:
        """What is to be told of an aggregator of which no version can be read."""
        numbers = [number for known, number in self.unread if known == name]
        if not numbers or any(known == name for known, _ in self.rules):
            return None
        return self.missing(name, max(numbers))

    def unread_in_force(self, revision: int | None = None) -> dict[tuple[str, int], Unread]:
        """The aggregators that are out of service at a revision (default: now)."""
        if not self.unread:
            return {}
        at = self.revision if revision is None else revision
        found = {}
        for (name, number), unread in self.unread.items():
            version = self.version_at("aggregator", name, at)
            if version is not None and version.version == number:
                found[name, number] = unread
        return found

    def held(self, topic: str, revision: int) -> OutOfService | None:
        """Why nothing of an input topic may be routed at a revision; None when it may."""
        for (name, number), unread in self.unread_in_force(revision).items():
            if unread.input == topic:
                return self.missing(name, number)
        return None

    def waits(self, name: str, version: int | None) -> bool:
        """Whether a session, of that version if it is open, may not be flushed: its aggregator, or
        one beside it on its input topic, is out of service."""
        if not self.unread:
            return False
        if (name, version) in self.unread or not any(name == known for known, _ in self.rules):
            return True
        held = {unread.input for unread in self.unread_in_force().values()}
        return bool(held) and self.newest(name).document.input in held

    def versions_of(self, name: str) -> list[Rule]:
        """All versions of an aggregator, those before its removal too, oldest first."""
        found = sorted(version for known, version in self.rules if known == name)
        return [self.rules[name, version] for version in found]

    def version_at(self, kind: str, name: str, revision: int) -> Version | None:
        """The version in force at a revision; None when there was none or it was removed."""
        versions = self.history.get((kind, name), [])
        at = bisect.bisect_right(versions, revision, key=lambda version: version.revision)
        found = versions[at - 1] if at else None
        return None if found is None or found.document is None else found

    def aggregators(self, revision: int | None = None) -> list[Rule]:
        """The aggregators in force at a revision (default: now), by name."""
        at = self.revision if revision is None else revision
        found = []
        for kind, name in sorted(self.history):
            version = self.version_at(kind, name, at) if kind == "aggregator" else None
            if version is not None and (name, version.version) not in self.unread:
                found.append(self.rules[name, version.version])
        return found

    def inputs(self) -> set[str]:
        """The public topics that aggregators in force take records from."""
        return {rule.document.input for rule in self.aggregators()} | self.held_inputs()

    def held_inputs(self) -> set[str]:
        """Those of them from which nothing is taken now."""
        return {unread.input for unread in self.unread_in_force().values()}

    def keyed_inputs(self) -> set[str]:
        """Those of them that an aggregator takes by the key of its sessions."""
        keyed = {rule.document.input for rule in self.aggregators() if rule.document.keyed_by}
        return keyed | {one.input for one in self.unread_in_force().values() if one.keyed_by}

    def known_inputs(self) -> set[str]:
        """Those, and the ones of documents that were changed or removed: what still comes there
        is counted as unmatched.
        """
        known = {rule.document.input for rule in self.rules.values()}
        return known | {unread.input for unread in self.unread.values()}

    def outputs(self) -> set[str]:
        """The public topics that flushes of any document go to, or went to."""
        known = {rule.document.output.topic for rule in self.rules.values()}
        return known | {unread.output for unread in self.unread.values()}

    def latest(self, kind: str, name: str) -> Version | None:
        """The newest version, a removal included."""
        versions = self.history.get((kind, name))
        return versions[-1] if versions else None


def version_change(version: Version) -> Change:
    """The change that adds a version to the log."""
    return f"{version.kind}/{version.name}/{version.version:09d}".encode(), _encode(version)


def read_change(partition: int, offset: int) -> Change:
    """The change that says: control messages of the partition were read up to this offset."""
    return READ + str(partition).encode(), str(offset).encode()


class DocumentsFollower:
    """Keeps a `Documents` up with the log; several may, none of them claims it. Any task may ask it
    to catch up.
    """

    def __init__(self, documents: Documents, changelog: Changelog) -> None:
        self.documents = documents
        self._changelog = changelog
        self._one_reader = asyncio.Lock()

    async def catch_up(self) -> bool:
        """Reads to the present end of the log; whether anything was new."""
        before = self.documents.revision
        async with self._one_reader:
            async for changes in self._changelog.follow(self._changelog.next_offset):
                self.documents.take(changes)
        return self.documents.revision != before
