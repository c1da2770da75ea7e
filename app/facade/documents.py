"""Documents: what is in force, and changes of it by way of topic `config`.

A change is a control message. It is answered when the documents agent has read past it, so that
its version (or the refusal) is known, and with a wait when every live worker has it in force.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from agents.documents import Refused, internal_topics, problems_among
from agents.documents import validate as validate_message
from agents.told import HEADERS
from app.backend import Unavailable
from app.facade.appends import Appends
from app.facade.parts import Parts
from app.shapes import Change, Changed, DocumentStatus, DocumentVersion, Idempotency
from config.documents.aggregator import refuse_for_stream
from config.documents.base import Document, DocumentError, Problem
from config.documents.registry import load_document
from config.topics import CONFIG
from domain.aggregation.document import Aggregator
from domain.aggregation.flush import to_json
from domain.aggregation.operations import exact_json
from tables.documents import Version
from tables.in_force import unread

EXAMPLES = "sluice examples"
"""Who applies the example documents."""
READ_S = 20.0  # the agent moves to another worker within 15 s
LOOK_S = 0.02


class DocumentsArea:
    """See `Backend`, section Documents."""

    def __init__(self, parts: Parts, appends: Appends) -> None:
        self._parts = parts
        self._appends = appends

    async def in_force(self, kind: str | None) -> list[DocumentVersion]:
        """See `Backend.documents`."""
        await self._parts.catch_up()
        documents = self._parts.documents
        latest = [versions[-1] for _, versions in sorted(documents.history.items())]
        return [
            self._shown(version)
            for version in latest
            if version.document is not None and kind in (None, version.kind)
        ]

    async def one(self, kind: str, name: str) -> DocumentVersion | None:
        """See `Backend.document`."""
        await self._parts.catch_up()
        latest = self._parts.documents.latest(kind, name)
        return None if latest is None or latest.document is None else self._shown(latest)

    def _shown(self, version: Version) -> DocumentVersion:
        reason = unread(self._parts.documents, version)
        return replace(shown(version), out_of_service=reason or "")

    async def versions(self, kind: str, name: str) -> list[DocumentVersion]:
        """See `Backend.versions`."""
        await self._parts.catch_up()
        return [
            shown(each) for each in reversed(self._parts.documents.history.get((kind, name), []))
        ]

    async def status(self, kind: str, name: str) -> DocumentStatus | None:
        """See `Backend.document_status`."""
        await self._parts.catch_up()
        documents = self._parts.documents
        latest = documents.latest(kind, name)
        if latest is None:
            return None
        live = self._parts.members.live()
        in_force = all(beat.revision >= latest.revision for beat in live)
        if unread(documents, latest) is not None:
            return DocumentStatus(latest.version, False, {beat.id: 0 for beat in live})
        if latest.document is None and in_force:
            return None
        found = {beat.id: documents.version_at(kind, name, beat.revision) for beat in live}
        return DocumentStatus(
            latest.version,
            in_force,
            {worker: 0 if each is None else each.version for worker, each in found.items()},
        )

    async def put(
        self, kind: str, name: str, body: Mapping[str, object], change: Change, wait_s: float
    ) -> Changed:
        """See `Backend.put_document`."""
        document = loaded(body, kind, name)
        await self._parts.catch_up()
        problems = self._problems_among(document)
        if problems:
            raise DocumentError(problems)
        before = self._parts.documents.latest(kind, name)
        created = before is None or before.document is None
        text = to_json(dict(body)).decode()
        if before is not None and before.document == text:
            return await self._changed(before, False, wait_s)
        version = await self._change(kind, name, body, change)
        if version is None or version.document != text:
            raise DocumentError([Problem("", name, "what the dead letters on `config` say")])
        return await self._changed(version, created, wait_s)

    async def problems(self, body: Mapping[str, object]) -> Sequence[Problem]:
        """See `Backend.validate`."""
        try:
            document = loaded(body)
        except DocumentError as error:
            return error.problems
        await self._parts.catch_up()
        return self._problems_among(document)

    def _problems_among(self, document: Document) -> list[Problem]:
        found = internal_topics(document, self._parts.names)
        return found + problems_among(self._parts.documents, document)

    async def delete(self, kind: str, name: str, change: Change, wait_s: float) -> Changed | None:
        """See `Backend.delete_document`."""
        await self._parts.catch_up()
        before = self._parts.documents.latest(kind, name)
        if before is None:
            return None
        if before.document is None:
            repeated = change.idempotency_key is not None
            return await self._changed(before, False, wait_s) if repeated else None
        version = await self._change(kind, name, None, change)
        return None if version is None else await self._changed(version, False, wait_s)

    async def _change(
        self, kind: str, name: str, body: Mapping[str, object] | None, change: Change
    ) -> Version | None:
        """Appends the control message; returns the version that is in force by it."""
        message = {
            "kind": kind,
            "name": name,
            "document": None if body is None else dict(body),
            "actor": change.actor,
            "reason": change.reason,
        }
        key, value = f"{kind}/{name}".encode(), to_json(message)
        idempotency = None
        if change.idempotency_key is not None:
            fingerprint = blake2b(value, digest_size=16).hexdigest()
            idempotency = Idempotency(change.idempotency_key, fingerprint)
        done = await self._appends.append(CONFIG, [(key, value, None, HEADERS)], idempotency)
        ((partition, offset),) = done.last.items()
        return await self._read_past(kind, name, partition, offset)

    async def _read_past(self, kind: str, name: str, partition: int, offset: int) -> Version | None:
        documents = self._parts.documents
        clock = asyncio.get_running_loop().time
        until = clock() + READ_S
        while documents.read.get(partition, -1) < offset:
            if clock() > until:
                raise Unavailable(
                    "the change", "it is durable on topic config, but no worker has read it yet"
                )
            if not await self._parts.catch_up():
                await asyncio.sleep(LOOK_S)
        versions = documents.history.get((kind, name), [])
        own = [each for each in versions if each.position == (partition, offset)]
        # none: it was refused, or it changed nothing
        return own[0] if own else documents.latest(kind, name)

    async def _changed(self, version: Version, created: bool, wait_s: float) -> Changed:
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        while not self._in_force(version):
            if clock() >= until:
                return Changed(version.version, False, created)
            await asyncio.sleep(LOOK_S)
        return Changed(version.version, True, created)

    def _in_force(self, version: Version) -> bool:
        return all(beat.revision >= version.revision for beat in self._parts.members.live())


def loaded(body: Mapping[str, object], kind: str = "", name: str = "") -> Document:
    """The document that the body is. Raises DocumentError with all that would be refused."""
    document = load_document(body)
    problems: list[Problem] = []
    if kind and document.kind != kind:
        problems.append(Problem("kind", document.kind, kind))
    if name and document.name != name:
        problems.append(Problem("name", document.name, name))
    if isinstance(document, Aggregator):
        problems += refuse_for_stream(document)
    if problems:
        raise DocumentError(problems)
    try:
        # as the agent will read it: nothing that passes here may be refused there
        validate_message(document.kind, document.name, exact_json(to_json(dict(body))))
    except Refused as refused:
        raise DocumentError([Problem("", name, refused.detail)]) from None
    return document


def shown(version: Version) -> DocumentVersion:
    """A version as the web layer sees it, its numbers exact."""
    body: Any = None if version.document is None else exact_json(version.document.encode())
    return DocumentVersion(
        version.kind,
        version.name,
        version.version,
        body,
        version.at,
        version.actor,
        version.reason,
        example=is_example(version),
    )


def is_example(version: Version) -> bool:
    """Whether it is an example that nobody has changed."""
    return version.actor == EXAMPLES
