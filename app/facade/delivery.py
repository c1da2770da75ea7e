"""Messages to people, sent from the shards that are open here, again at growing intervals until
each was taken. A message that was taken loses its row at once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from agents.alert import NOTICE
from agents.digest import content_of, delivered
from app.digests import content, mail
from app.facade.parts import Parts
from app.listening import is_loopback, place
from config.settings import Settings
from connectors.notices import Notices, NoticeSettings, Rich
from connectors.outbound import Outbound
from connectors.sinks.base import TryLater
from domain.campaigns.keys import TOLD
from domain.masking import Masker
from domain.notices import Notice, key_of, waiting
from domain.sinks.backoff import wait_ms
from domain.sinks.document import Retry

logger = logging.getLogger(__name__)
AGAIN = Retry(1_000, 300_000)  # of a message that was not taken
A_ROUND = 50  # messages of a shard


@dataclass(frozen=True)
class _Desk:
    """Shards that hold messages. books: what is committed, by number; taken: takes rows away."""

    prefix: bytes
    books: Callable[[], Iterable[tuple[int, Any]]]
    taken: Callable[[int, Notice], Awaitable[None]]


@dataclass
class _Tried:
    """A message that was not taken. again_s: when it is tried next, monotonic."""

    times: int
    again_s: float
    detail: str


class Delivery:
    """See the module."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.sender = notices_of(parts.settings)
        self._desks = [_Desk(NOTICE, self._of_rollups, self._taken_of_rollups)]
        self._desks += [_Desk(TOLD, self._of_campaigns, self._taken_of_campaigns)]
        self.tried: dict[bytes, _Tried] = {}
        self._taken: set[bytes] = set()  # whose rows are still there
        self._warned: set[str] = set()

    async def deliver(self) -> None:
        """One try of each message that is due. Raises NotOwned, StoreUnavailable: the rows that it
        did not come to are there in the next round."""
        now_s = asyncio.get_running_loop().time()
        known: set[bytes] = set()
        for desk in self._desks:
            for number, book in desk.books():
                found = list(waiting(book, desk.prefix))
                known.update(map(_named, found))
                due = [one for one in found if self._is_due(one, now_s)][:A_ROUND]
                if due:
                    await self._some(desk, number, book, due)
        for gone in self.tried.keys() - known:
            del self.tried[gone]
        self._taken &= known

    async def _some(self, desk: _Desk, number: int, book: Any, due: list[Notice]) -> None:
        """Tries these: each way out by itself, so that one that is slow keeps no other waiting."""
        ways: dict[tuple[str, str], list[Notice]] = {}
        for one in due:
            ways.setdefault((one.kind, one.target if one.kind == "webhook" else ""), []).append(one)
        tries = [asyncio.create_task(self._way(desk, number, book, some)) for some in ways.values()]
        try:
            await asyncio.gather(*tries)
        finally:  # none of them is under way when it is tried again
            await asyncio.gather(*tries, return_exceptions=True)

    async def _way(self, desk: _Desk, number: int, book: Any, some: list[Notice]) -> None:
        """One after the other, the row of each removed before the next: a kill makes one message
        come twice at most. The first that is not taken ends the round."""
        for notice in some:
            # a row that could not be removed is no reason to send it again
            if _named(notice) not in self._taken:
                if not await self._try(book, notice):
                    return
                self._taken.add(_named(notice))
            await desk.taken(number, notice)

    def _is_due(self, notice: Notice, now_s: float) -> bool:
        tried = self.tried.get(_named(notice))
        return tried is None or tried.again_s <= now_s

    def trouble(self, notice: Notice) -> str:
        """Why it was not taken when it was tried last; "" when it wasn't, or isn't known here."""
        tried = self.tried.get(_named(notice))
        return "" if tried is None else tried.detail

    async def _try(self, book: Any, notice: Notice) -> bool:
        if not self.sender.can(notice.kind):
            if notice.kind not in self._warned:
                self._warned.add(notice.kind)
                logger.warning(
                    "messages by %s are not sent: there is no %s",
                    notice.kind,
                    "SLUICE_SMTP_URL" if notice.kind == "mail" else "SLUICE_SMS_URL",
                )
            return True
        try:
            await self._send(book, notice)
        except TryLater as error:
            before = self.tried.get(_named(notice))
            times = 1 if before is None else before.times + 1
            logger.warning("message %s by %s: %s", notice.id, notice.kind, error)
            again_s = asyncio.get_running_loop().time()
            again_s += wait_ms(AGAIN, times, random.random()) / 1e3
            self.tried[_named(notice)] = _Tried(times, again_s, str(error))
            return False
        return True

    async def _send(self, book: Any, notice: Notice) -> None:
        sender, at_ms = self.sender, notice.at_ms
        if notice.kind == "mail":
            text, beside = notice.text, None
            if notice.content:
                raw = content_of(book, notice.content)
                if raw is None:
                    return  # a later digest came in its place
                masker = Masker() if self._parts.any_users() else None
                text, beside = await asyncio.to_thread(_made, raw, masker)
            await sender.mail(notice.target, notice.id, notice.subject, text, at_ms, beside)
        elif notice.kind == "sms":
            await sender.sms(notice.target, notice.subject)
        else:
            await sender.webhook(notice.target, notice.id, notice.body, at_ms // 1000)

    def _of_rollups(self) -> list[tuple[int, Any]]:
        rollups = self._parts.rollups
        books = {} if rollups is None else rollups.books()
        return [(number, book) for number, (_, book) in books.items()]

    async def _taken_of_rollups(self, number: int, notice: Notice) -> None:
        if self._parts.rollups is not None:
            async with self._parts.rollups.work.shards.use(number) as shard:
                await delivered(shard, [notice])

    def _of_campaigns(self) -> list[tuple[int, Any]]:
        campaigns = self._parts.campaigns
        if campaigns is None:
            return []
        held = campaigns.work.holding  # nothing can be written while their store is away
        books = campaigns.books()
        return [(number, book) for number, (_, _, book) in books.items() if number not in held]

    async def _taken_of_campaigns(self, number: int, notice: Notice) -> None:
        if self._parts.campaigns is not None:
            async with self._parts.campaigns.work.shards.use(number) as shard:
                await shard.forget_row(key_of(TOLD, notice))


_named = partial(key_of, b"")  # a message, among all that are waiting


def _made(raw: bytes, masker: Masker | None) -> tuple[str, Rich]:
    return mail.rich(content.decode(raw), masker)


def notices_of(settings: Settings) -> Notices:
    """What sends messages, as the settings have it."""
    return Notices(
        NoticeSettings(
            settings.smtp_url, settings.mail_from, settings.sms_url, settings.webhook_secret
        ),
        Outbound(settings.outbound_allow, loopback=is_loopback(place(settings).host)),
    )
