"""Digests: made where their shard is open when they are due, and whenever somebody asks.

Twice a second it is looked what is due, which reads a row a digest. What is told, and that it is,
is one commit; the mails go out beside that (`delivery.py`).
"""

from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

from agents import digest as rows
from agents.alert import NOTICE
from agents.roll_up import EVENTS
from app.alert_shapes import DigestRefused, DigestSent, DigestStatus, WaitingMail
from app.backend import IdempotencyConflict
from app.cluster.peers import Peers
from app.digests import content as contents
from app.digests.mail import subject
from app.digests.making import content_of
from app.facade.delivery import Delivery
from app.facade.jobs import begun
from app.facade.metric_sources import MetricSources
from app.facade.owners import owned
from app.facade.parts import Parts
from app.facade.rollups import Rollups
from connectors.streams.murmur2 import partition_for
from domain.errors import Reject
from domain.masking import Masker
from domain.metrics.dashboard import Dashboard, default_of
from domain.metrics.digest import (
    Digest,
    Period,
    Sent,
    latest_due,
    next_due,
    of_digest,
    period_of,
    to_tell,
)
from domain.metrics.expression import Calculated
from domain.metrics.source import Source
from domain.notices import waiting
from tables.in_force import document_of, in_force, in_service, is_unread

STATES, SEND = "digest_states", "digest_send"


class Digests:
    """See the module."""

    def __init__(
        self,
        parts: Parts,
        peers: Peers,
        rollups: Rollups,
        sources: MetricSources,
        delivery: Delivery,
    ) -> None:
        self._parts, self._peers, self._rollups = parts, peers, rollups
        self._sources, self._delivery = sources, delivery
        self.questions = {STATES: self._tell, SEND: self._send}

    async def look(self) -> None:
        """Sends what is due of the shards that are open here. Raises Unavailable, NotOwned."""
        rollups = self._parts.rollups
        count = await self._count()
        if rollups is None or not count:
            return
        found = self._in_force()
        for name, (digest, from_ms) in found.items():
            number = partition_for(name.encode(), count)
            if number not in rollups.work.shards.opened:
                continue
            now_ms = self._parts.clock.now_ms()
            sent = rows.sent_of(rollups.books()[number][1], name)
            if sent is None:
                async with rollups.work.shards.use(number) as shard:
                    await rows.begin(shard, name, from_ms)
            period = to_tell(digest, sent or Sent(from_ms), now_ms)
            if period is None:
                continue
            content = await self._content(digest, period, now_ms)
            async with rollups.work.shards.use(number) as shard:
                held = rows.sent_of(shard.ledger.view(), name)  # another's that had it meanwhile
                if to_tell(digest, held or Sent(from_ms), now_ms) == period:
                    raw, line = contents.encode(content), self._subject(content)
                    await rows.send(shard, digest, period, raw, line, now_ms)
        for number in rollups.work.shards.opened:
            for name, _ in rows.known(rollups.books()[number][1]):
                if name not in found and not is_unread(self._parts.documents, Digest.kind, name):
                    async with rollups.work.shards.use(number) as shard:
                        await rows.forget(shard, name)

    async def _count(self) -> int:
        return await self._parts.partitions(self._parts.names.topic(EVENTS)) or 0

    def _in_force(self) -> dict[str, tuple[Digest, int]]:
        versions = in_service(self._parts.documents, Digest.kind)
        return {one.name: (document_of(one, Digest), one.at) for one in versions}

    def _subject(self, content: contents.Content) -> str:
        line = subject(content)
        return Masker().text(line) if self._parts.any_users() else line

    async def _content(self, digest: Digest, period: Period, now_ms: int) -> contents.Content:
        known = await self._rollups.known()
        documents = self._parts.documents
        calculated = in_force(documents, Calculated, Calculated.kind)
        units = {one.name: one.unit for one in calculated if one.unit}
        board = self._board(digest.dashboard) if digest.dashboard else None
        failing = [
            one.name for one in await self._sources.all() if one.failing_since_ms is not None
        ]
        return await content_of(
            digest, period, board, {name: kind for name, (kind, _) in known.items()}, units,
            failing, self._rollups.figures, now_ms,
        )  # fmt: skip

    def _board(self, name: str) -> Dashboard:
        """The dashboard; one that isn't there has no figures, and the mail says so by its title."""
        documents = self._parts.documents
        own = in_force(documents, Dashboard, Dashboard.kind)
        found = next((one for one in own if one.name == name), None)
        if found is None:
            sources = in_force(documents, Source, Source.kind)
            source = next((one for one in sources if one.name == name), None)
            found = None if source is None else default_of(source)
        return found or Dashboard(name, f"{name} (there is no such dashboard)", ())

    # Answering

    async def _tell(self, _: dict[str, Any]) -> dict[int, dict[str, Any]]:
        rollups = self._parts.rollups
        return {
            number: {"epoch": epoch, "told": self._told(book)}
            for number, (epoch, book) in ({} if rollups is None else rollups.books()).items()
        }

    def _told(self, book: Any) -> list[Any]:
        """[name, first day, when, [[id, address, trouble]]] of what a shard keeps."""
        found = []
        known = dict(rows.known(book))
        for name in self._in_force().keys() | known.keys():
            left = [
                [one.id, one.target, self._delivery.trouble(one)]
                for one in waiting(book, NOTICE, of_digest(name))
            ]
            if name in known or left:
                sent = known.get(name) or Sent(0)
                found.append([name, sent.first, sent.made_ms, left])
        return found

    async def all(self) -> list[DigestStatus]:
        """See `MetricsBackend.digests`."""
        await self._parts.catch_up()
        told: dict[str, Any] = {}
        for _, shard in owned(await self._peers.ask(STATES, {})).values():
            told.update({name: rest for name, *rest in shard["told"]})
        now_ms, found = self._parts.clock.now_ms(), []
        for name, (digest, _) in self._in_force().items():
            first, sent_ms, left = told.get(name, ("", 0, []))
            at = f"{digest.at // 60:02}:{digest.at % 60:02}"
            found.append(DigestStatus(
                name, digest.every, at, digest.timezone, digest.to, first, sent_ms,
                next_due(digest, now_ms), [WaitingMail(*one) for one in left],
            ))  # fmt: skip
        return found

    async def send(self, name: str, day: date | None, key: str | None) -> DigestSent | None:
        """See `MetricsBackend.send_digest`."""
        await self._parts.catch_up()
        found = self._in_force().get(name)
        if found is None:
            return None
        digest, now_ms = found[0], self._parts.clock.now_ms()
        if not digest.to:
            raise DigestRefused(name, "its document names nobody in `to`")
        if not self._delivery.sender.can("mail"):
            raise DigestRefused(name, "there is no mail server; set SLUICE_SMTP_URL")
        try:
            period = (
                latest_due(digest, now_ms)[1]
                if day is None
                else period_of(digest.every, digest.timezone, day)
            )
            if period.from_ms > now_ms:
                raise DigestRefused(name, f"{period.first.isoformat()} has not begun")
            content = await self._content(digest, period, now_ms)
        except (Reject, OverflowError, ValueError) as error:
            raise DigestRefused(name, f"there are no figures of {day}") from error
        id = await self._committed(digest, period, content, key)
        return DigestSent(id, name, content.first, content.last, digest.to)

    async def _committed(
        self, digest: Digest, period: Period, content: contents.Content, key: str | None
    ) -> str:
        number = partition_for(digest.name.encode(), await self._count() or 1)
        asked = {
            "name": digest.name, "number": number, "period": list(period[1:]),
            "first": content.first, "subject": self._subject(content),
            # a worker that did it and did not answer in time is asked again: it must know
            "content": contents.encode(content), "key": key or uuid4().hex,
        }  # fmt: skip
        away = f"digest {digest.name}", "no worker of role metrics has it open"
        told = await begun(self._parts, self._peers, SEND, asked, away)
        if told["conflict"]:
            raise IdempotencyConflict(key or "")
        id: str = told["id"]
        return id

    async def _send(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What came of it; None by a worker that doesn't have the shard, or the document yet."""
        rollups, found = self._parts.rollups, self._in_force().get(asked["name"])
        if rollups is None or found is None or asked["number"] not in rollups.work.shards.opened:
            return None
        period = Period(date.fromisoformat(asked["first"]), *asked["period"])
        again = partial(
            rows.send_again, digest=found[0], period=period, content=asked["content"],
            subject=asked["subject"], key=asked["key"], now_ms=self._parts.clock.now_ms(),
        )  # fmt: skip
        async with rollups.work.shards.use(asked["number"]) as shard:
            id = await again(shard)
        return {"id": id or "", "conflict": id is None}
