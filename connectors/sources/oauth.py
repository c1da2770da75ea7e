"""Tokens that run out: asked for with a refresh token or a service account, and asked for anew."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from google.auth import crypt, jwt

from connectors.sources.base import Kit
from connectors.sources.caller import Answer
from connectors.sources.errors import CallFailed

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIFE_S = 3_600  # of a service account's assertion: the longest Google takes
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Tokens:
    """A bearer token by a source's credentials: `token` as it is; else `service_account` or
    `refresh_token` with `client_id` and `client_secret`, exchanged at `token_url`."""

    def __init__(self, kit: Kit, token_url: str, scope: str = "") -> None:
        self._kit = kit
        self._token_url = token_url
        self._scope = scope
        self._held = ""

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """As `Caller.call`, with the token; one that has run out is asked for anew, once."""
        for last in (False, True):
            sent = {**(headers or {}), "Authorization": f"Bearer {await self._token()}"}
            allow = () if last or not self._can_renew() else (401,)
            answer = await self._kit.call.call(
                method, url, params=params, headers=sent, body=body, allow=allow
            )
            if answer.status != 401:
                return answer
            self._held = ""
        raise CallFailed("the token is refused", 401)

    def _can_renew(self) -> bool:
        return not {"refresh_token", "service_account"}.isdisjoint(self._kit.source.credentials)

    async def _token(self) -> str:
        if not self._can_renew():
            token = self._kit.secret("token")
            if not token:
                raise CallFailed("the document names no credential to sign in with")
            return token
        if not self._held:
            self._held = await self._renewed()
        return self._held

    async def _renewed(self) -> str:
        secret = self._kit.secret
        url = self._token_url
        if "service_account" in self._kit.source.credentials:
            url, form = self._asserted(secret("service_account"))
        else:
            form = {
                "grant_type": "refresh_token",
                "client_id": secret("client_id"),
                "client_secret": secret("client_secret"),
                "refresh_token": secret("refresh_token"),
            }
        answer = await self._kit.call.call("POST", url, headers=FORM, body=urlencode(form).encode())
        token = answer.json().get("access_token")
        if not isinstance(token, str) or not token:
            raise CallFailed("the answer to the request for a token holds none", answer.status)
        return token

    def _asserted(self, key: str) -> tuple[str, dict[str, str]]:
        """Where to ask, and the form with the assertion that the account's key signs."""
        try:
            account: dict[str, Any] = msgspec.json.decode(key)
            signer = crypt.RSASigner.from_service_account_info(account)  # type: ignore[no-untyped-call]  # google-auth's
            url = str(account.get("token_uri") or self._token_url)
            now = int(time.time())  # Google compares it with its own clock
            claims = {
                "iss": account["client_email"],
                "scope": self._scope,
                "aud": url,
                "iat": now,
                "exp": now + LIFE_S,
            }
            assertion: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]  # google-auth's
        except (msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError):
            raise CallFailed(
                "the service account can't be read; expected the JSON key file that Google gives"
            ) from None
        return url, {"grant_type": _GRANT, "assertion": assertion.decode()}
