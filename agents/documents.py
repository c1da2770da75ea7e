"""Control messages: reads topic `config`, validates, numbers versions, writes the documents log.

One worker has the topic's partition and is the log's writer; a message that doesn't validate
becomes a dead letter and what was in force stays in force. A message read again (after a kill) is
recognised by its position.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from agents.commands import CommandDesk, CommandRefused, is_command
from agents.growth_desk import GrowthDesk, GrowthRefused, is_growth
from agents.letters import Letter
from agents.told import is_audited
from config.documents.aggregator import refuse_for_stream
from config.documents.base import Document, DocumentError, Problem
from config.documents.policies import among
from config.documents.registry import load_document
from config.names import Names
from domain.aggregation.document import Aggregator
from domain.aggregation.flush import to_json
from domain.aggregation.numbers import float_hook
from domain.metrics.expression import Calculated
from domain.sinks.document import Sink
from tables.changelog import Change, Changelog
from tables.documents import Documents, Version, read_change, version_change
from tables.in_force import in_force
from tables.stream import Item

Tell = Callable[[Version, Version | None], Awaitable[None]]
"""Told of a version that a message makes, and of the one before, ahead of its being in force; may
be told again after a kill."""
_decode = msgspec.json.Decoder(float_hook=float_hook).decode


@dataclass(frozen=True)
class Refused(Exception):
    """Why a control message is none."""

    detail: str


def read_message(
    key: bytes | None, value: bytes | None
) -> tuple[str, str, dict[str, Any] | None, str, str]:
    """(kind, name, document or None for a removal, actor, reason) of a control message; raises
    Refused.
    """
    if value is None:
        kind, _, name = (key or b"").decode("utf-8", "replace").partition("/")
        if not kind or not name:
            raise Refused("a null value removes a document, but the key is not kind/name")
        return kind, name, None, "", ""
    try:
        message = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the message is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise Refused("the message is no JSON object with kind, name and document")
    kind, name = message.get("kind"), message.get("name")  # type: ignore[assignment]
    if not isinstance(kind, str) or not isinstance(name, str):
        raise Refused("kind and name: missing, expected the kind and name of the document as text")
    if key is not None and key != f"{kind}/{name}".encode():
        raise Refused(
            f"key: {key.decode('utf-8', 'replace')!r} is not accepted, expected {kind}/{name}"
        )
    if "document" not in message:
        raise Refused("document: missing, expected the document, or null to remove it")
    document = message["document"]
    if document is not None:
        validate(kind, name, document)
    actor, reason = (message.get(field) for field in ("actor", "reason"))
    return (
        kind,
        name,
        document,
        actor if isinstance(actor, str) else "",
        reason if isinstance(reason, str) else "",
    )


def letter_of(value: bytes | None) -> str:
    """The id of the dead letter that a (valid) control message is the replay of; else ""."""
    letter = "" if value is None else _decode(value).get("letter", "")
    return letter if isinstance(letter, str) else ""


def validate(kind: str, name: str, document: Any) -> Document:
    """The document, if it may come into force on a stream. Raises Refused with every path and
    reason.
    """
    try:
        loaded = load_document(document)
    except DocumentError as error:
        raise Refused("; ".join(str(problem) for problem in error.problems)) from None
    if (loaded.kind, loaded.name) != (kind, name):
        raise Refused(
            f"kind and name: {loaded.kind}/{loaded.name} is not accepted, expected {kind}/{name}"
        )
    if isinstance(loaded, Aggregator):
        problems = refuse_for_stream(loaded)
        if problems:
            raise Refused("; ".join(str(problem) for problem in problems))
    return loaded


def problems_among(documents: Documents, document: Document) -> list[Problem]:
    """What speaks against a document beside those that are in force."""
    if document.kind != Calculated.kind:
        return []
    return among(document, in_force(documents, Calculated, Calculated.kind))


def internal_topics(document: Document, names: Names) -> list[Problem]:
    """Topics that the document names and that are the product's own state: a record of another
    kind there would end the workers that read it."""
    named: dict[str, str] = {}
    if isinstance(document, Aggregator):
        named = {"input": document.input, "output.topic": document.output.topic}
    elif isinstance(document, Sink):
        named = {"input": document.input}
    expected = "a topic other than the product's own"
    return [
        Problem(path, topic, expected)
        for path, topic in named.items()
        if names.is_internal(names.topic(topic))
    ]


def refuse_internal(document: Document, names: Names) -> None:
    """Raises Refused when there are any."""
    problems = internal_topics(document, names)
    if problems:
        raise Refused("; ".join(map(str, problems)))


class DocumentsAgent:
    """Applies control messages. `prepare(document)` makes the topics that a document needs before
    it is in force; `commands` and `growths` see to what is no document.
    """

    def __init__(
        self,
        changelog: Changelog,
        now_ms: Callable[[], int],
        send_letters: Callable[[list[Letter]], Awaitable[None]],
        prepare: Callable[[dict[str, Any]], Awaitable[None]],
        commands: CommandDesk,
        growths: GrowthDesk,
        tell: Tell | None = None,
    ) -> None:
        self._growths = growths
        self._tell = tell
        self._changelog = changelog
        self._now_ms = now_ms
        self._send_letters = send_letters
        self._prepare = prepare
        self._commands = commands
        self._documents = Documents()

    async def open(self) -> None:
        """Takes the log over."""
        async for changes in self._changelog.follow(0):
            self._documents.take(changes)
        self._documents.take(await self._changelog.claim())

    async def apply(self, partition: int, items: Sequence[Item]) -> None:
        """Applies control messages in order; returns when the log has them."""
        for item in items:
            offset, timestamp, key, value, _ = item
            if offset <= self._documents.read.get(partition, -1):
                continue
            changes: list[Change] = []
            try:
                if is_command(key):
                    await self._commands.take(self._documents, partition, item)
                elif is_growth(key):
                    changes += await self._growth(partition, key or b"", value)
                else:
                    changes += await self._document(partition, item)
            except (Refused, CommandRefused, GrowthRefused) as refused:
                refused_letter = Letter(
                    "config",
                    partition,
                    offset,
                    None,
                    "refused_document",
                    refused.detail,
                    value,
                    None,
                    timestamp,
                )
                await self._send_letters([refused_letter])
            changes.append(read_change(partition, offset))
            await self._changelog.append(changes)
            self._documents.take(changes)

    async def _growth(self, partition: int, key: bytes, value: bytes | None) -> list[Change]:
        """The changes that a message about a growth makes; raises GrowthRefused."""
        begun = await self._growths.begin(self._documents, key, value, self._now_ms())
        if begun is not None:
            await self._changelog.append([begun])
            self._documents.take([begun])
        change = await self._growths.follow(self._documents, partition, key, value)
        return [] if change is None else [change]

    async def _document(self, partition: int, item: Item) -> list[Change]:
        """The changes that a message about a document makes; raises Refused."""
        offset, _, key, value, _ = item
        kind, name, document, actor, reason = read_message(key, value)
        version = self._next(kind, name, document, actor, reason, (partition, offset))
        letter = letter_of(value)
        if letter and letter in self._documents.letters:
            return []  # a later version may stand: it is not put in force twice
        if version is None:
            return []
        if document is not None:
            problems = problems_among(self._documents, load_document(document))
            if problems:
                raise Refused("; ".join(map(str, problems)))
            await self._prepare(document)
        if self._tell is not None and not is_audited(item):
            await self._tell(version, self._documents.latest(kind, name))
        return [version_change(replace(version, letter=letter))]

    def _next(
        self,
        kind: str,
        name: str,
        document: dict[str, Any] | None,
        actor: str,
        reason: str,
        position: tuple[int, int],
    ) -> Version | None:
        """The version that the message makes; None when it changes nothing."""
        latest = self._documents.latest(kind, name)
        text = None if document is None else to_json(document).decode()
        if (latest.document if latest is not None else None) == text:
            return None
        number = 1 if latest is None else latest.version + 1
        revision = self._documents.revision + 1
        return Version(kind, name, number, text, actor, reason, self._now_ms(), position, revision)
