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

from config.documents.registry import load_document
from domain.aggregation.document import Aggregator
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import Invariant
from tables import growths
from tables.changelog import Change, Changelog
from tables.growths import Growths

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
    """See the module. `revision` rises as the log is followed; nothing else changes."""

    revision: int = 0
    read: dict[int, int] = field(default_factory=dict)
    history: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    rules: dict[tuple[str, int], Rule] = field(default_factory=dict)
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
        document = load_document(exact_json((version.document or "").encode()))
        if not isinstance(document, Aggregator):
            raise Invariant("a document is of its kind", f"{version.kind}/{version.name}")
        placement = self.placements.setdefault(
            (document.name, document.group_spec()), document.keyed_by
        )
        self.rules[document.name, version.version] = compile_rule(
            replace(document, keyed_by=placement), version.version
        )

    def rule(self, name: str, version: int) -> Rule:
        """The compiled version of an aggregator; raises Invariant when there is none."""
        found = self.rules.get((name, version))
        if found is None:
            raise Invariant("a session's document is known", f"aggregator {name} version {version}")
        return found

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
            if version is not None:
                found.append(self.rules[name, version.version])
        return found

    def inputs(self) -> set[str]:
        """The public topics that aggregators in force take records from."""
        return {rule.document.input for rule in self.aggregators()}

    def known_inputs(self) -> set[str]:
        """Those, and the ones of documents that were changed or removed: what still comes there
        is counted as unmatched.
        """
        return {rule.document.input for rule in self.rules.values()}

    def outputs(self) -> set[str]:
        """The public topics that flushes of any document go to, or went to."""
        return {rule.document.output.topic for rule in self.rules.values()}

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
