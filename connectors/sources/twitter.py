"""Twitter (X): public figures of an account, a snapshot at each fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.errors import CallFailed
from connectors.sources.snapshots import snapshot
from domain.metrics.records import attributes_of


class Twitter:
    """API v2: `users/by/username`."""

    RANGED = False
    BASE_URL = "https://api.twitter.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        base = (kit.source.base_url or self.BASE_URL).rstrip("/")
        self._name = str(kit.source.fetch["username"]).removeprefix("@")
        self._url = f"{base}/2/users/by/username/{self._name}"

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        token = self._kit.secret("token")
        if not token:
            raise CallFailed("the document names no credential `token`")
        answer = await self._kit.call.call(
            "GET",
            self._url,
            params={"user.fields": "public_metrics"},
            headers={"Authorization": f"Bearer {token}"},
        )
        body = answer.json()
        if "data" not in body:  # what is wrong with the account comes with 200
            detail = (body.get("errors") or [{}])[0].get("detail", "no such account")
            raise CallFailed(f"account {self._name}: {detail}", answer.status)
        data, now = body["data"], self._kit.now_ms()
        figures = attributes_of(data["public_metrics"])
        named = {"id": str(data["id"]), "username": str(data["username"])}
        yield Page([snapshot(now, {**named, **figures})], {"at": now}, last=True)
