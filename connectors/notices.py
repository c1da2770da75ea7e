"""Messages to people: mail by SMTP, text messages by an HTTP gateway, webhooks.

Each send is at least once; a mail that goes out twice has the same Message-ID, a webhook the same
`webhook-id`. What can't be delivered now raises TryLater; nothing here waits or tries again.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from connectors.outbound import Forbidden, Outbound, OutboundResolver, Unresolved
from connectors.sinks.base import TryLater
from connectors.sinks.webhook import header_id, key_of, signed_headers

TIMEOUT_S = 20.0
_LINES = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class NoticeSettings:
    """`smtp_url`: smtp[s]://user:pw@host:port; `secret`: signs webhooks, whsec_BASE64. What is
    empty is not sent."""

    smtp_url: str = ""
    mail_from: str = ""
    sms_url: str = ""
    secret: str = ""
    secret_name: str = "SLUICE_WEBHOOK_SECRET"


@dataclass(frozen=True)
class Rich:
    """What a mail has besides its text. images: PNG by the id that `html` names them by (cid:ID).
    pdf: (name of the file, content)."""

    html: str
    images: Mapping[str, bytes]
    pdf: tuple[str, bytes]


class Notices:
    """See the module."""

    def __init__(self, settings: NoticeSettings, outbound: Outbound) -> None:
        self.settings, self._outbound = settings, outbound

    def can(self, kind: str) -> bool:
        """Whether messages of that kind can be sent at all here."""
        url = {"mail": self.settings.smtp_url, "sms": self.settings.sms_url}.get(kind, "there")
        return bool(url)

    async def mail(
        self, to: str, id: str, subject: str, text: str, at_ms: int, rich: Rich | None = None
    ) -> None:
        """One mail; raises TryLater."""
        made = self._mail(to, id, subject, text, at_ms)
        if rich is not None:
            _beside(made, rich)
        try:
            await asyncio.to_thread(self._hand_over, made)
        except (OSError, smtplib.SMTPException) as error:
            raise TryLater(f"the mail server: {error}") from error

    def _mail(self, to: str, id: str, subject: str, text: str, at_ms: int) -> EmailMessage:
        sender = self.settings.mail_from or f"sluice@{_host(self.settings.smtp_url)}"
        made = EmailMessage()
        made["From"], made["To"] = sender, _LINES.sub(" ", to)
        made["Subject"] = _LINES.sub(" ", subject)
        made["Date"] = format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC))
        made["Message-ID"] = f"<{_token(id)}@{sender.rpartition('@')[2].strip('> ')}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(text)
        return made

    def _hand_over(self, made: EmailMessage) -> None:
        url = urlsplit(self.settings.smtp_url)
        safe = url.scheme == "smtps"
        context = ssl.create_default_context()
        host, port = url.hostname or "localhost", url.port or (465 if safe else 25)
        opened: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
            if safe
            else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        )
        with opened as server:
            server.ehlo()
            if not safe and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(made)

    async def sms(self, to: str, text: str) -> None:
        """One text message, by the gateway; raises TryLater."""
        body = msgspec.json.encode({"to": to, "text": text})
        await self._post(self.settings.sms_url, body, {}, None)

    async def webhook(self, url: str, id: str, body: bytes, at_s: int) -> None:
        """One webhook, signed when there is a secret; raises TryLater."""
        headers = {"webhook-id": header_id(id), "webhook-timestamp": str(at_s)}
        if self.settings.secret:
            key = key_of(self.settings.secret, self.settings.secret_name)
            headers = signed_headers(header_id(id), at_s, body, [key])
        await self._post(url, body, headers, OutboundResolver(self._outbound))

    async def _post(self, url: str, body: bytes, headers: dict[str, str], resolver: Any) -> None:
        try:
            if resolver is not None:
                self._outbound.check(url)
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
            limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limit) as session,
                session.post(
                    url, data=body, allow_redirects=False,
                    headers={"Content-Type": "application/json", **headers},
                ) as answer,
            ):  # fmt: skip
                if not 200 <= answer.status < 300:
                    raise TryLater(f"{_host(url)} answered {answer.status}")
        except (Forbidden, Unresolved) as error:
            raise TryLater(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TryLater(f"{_host(url)}: {type(error).__name__}") from error


def _beside(made: EmailMessage, rich: Rich) -> None:
    """The HTML with its pictures as another form of the text, and the file after both."""
    made.add_alternative(rich.html, subtype="html")
    forms: Any = made.get_payload()
    for name, png in rich.images.items():
        forms[-1].add_related(png, "image", "png", cid=f"<{name}>", disposition="inline")
    name, content = rich.pdf
    made.add_attachment(content, "application", "pdf", filename=name)


def _host(url: str) -> str:
    return urlsplit(url).hostname or "localhost"


def _token(id: str) -> str:
    """The id as the left side of a Message-ID may be written."""
    safe = re.sub(r"[^A-Za-z0-9.-]", "-", id)
    return f"{safe[:80]}.{blake2b(id.encode(), digest_size=8).hexdigest()}"
