"""Signing in with OpenID Connect: the authorization code flow with PKCE.

The provider says who somebody is (its ID token, whose signature, issuer, audience, times and nonce
are checked) and which role they have. What a browser must bring back is in a cookie of its own, so
any worker can end what another one began.
"""

import asyncio
import hmac
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec

from app.backend import Unavailable
from app.people.rows import RIGHTS, ROLES, Right, Role
from domain.errors import SluiceError

if TYPE_CHECKING:  # loaded by those who sign in so: a fifth of a second
    from joserfc.jwk import KeySet

ANSWER_S = 10.0
KEPT_S = 3_600.0  # how long the provider's description and keys are good for
ANSWER_BYTES = 1 << 20
LEEWAY_S = 60  # between the clocks of two machines
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures with the provider's own key: `none`, and those with the client's secret, are none."""
NAMES = ("preferred_username", "email", "sub")
"""Claims that may name the user here, the first that is there."""


class OidcRefused(SluiceError):
    """The provider, or what came back from it, doesn't let this person in (403)."""


@dataclass(frozen=True)
class OidcSettings:
    """`role_claim`: where the ID token has the role; dots lead into objects."""

    issuer: str
    client_id: str
    client_secret: str
    role_claim: str


class Pending(msgspec.Struct, frozen=True):
    """A sign-in that has begun: what the browser keeps until it comes back."""

    state: str
    nonce: str
    verifier: str
    following: str

    def cookie(self) -> str:
        """As the value of a cookie."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


@dataclass(frozen=True)
class Known:
    """Who somebody is. `subject` is theirs alone and stays, whatever the name."""

    name: str
    subject: str
    role: Role
    rights: tuple[Right, ...]


class Oidc:
    """One provider. Methods raise Unavailable when it doesn't answer."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._about: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_s = float("-inf")
        self._one_asker = asyncio.Lock()

    async def begin(self, back: str, following: str) -> tuple[str, Pending]:
        """(where the browser goes, what it keeps). `back`: where the provider sends it then."""
        about = await self._described()
        pending = Pending(token_urlsafe(24), token_urlsafe(24), token_urlsafe(48), following)
        challenge = urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": back,
            "scope": "openid profile email",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        where = str(about["authorization_endpoint"])
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", pending

    async def end(self, back: str, pending: Pending, query: Mapping[str, str]) -> Known:
        """Who came back with this address. Raises OidcRefused."""
        if not hmac.compare_digest(query.get("state", "").encode(), pending.state.encode()):
            raise OidcRefused("the sign-in was begun in another browser; begin it again")
        if "error" in query:
            told = query.get("error_description") or query["error"]
            raise OidcRefused(f"the provider refuses the sign-in: {told[:200]}")
        about = await self._described()
        form = {
            "grant_type": "authorization_code",
            "code": query.get("code", ""),
            "redirect_uri": back,
            "code_verifier": pending.verifier,
        }
        given = await self._ask("POST", str(about["token_endpoint"]), form)
        token = given.get("id_token")
        if not isinstance(token, str):
            raise OidcRefused("the provider gave no ID token for the code; begin again")
        return self._known(await self._claims(token, pending.nonce))

    async def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        settings = self._settings
        wanted = jwt.JWTClaimsRegistry(
            now=lambda: int(time.time()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        )
        for fresh in (False, True):  # a key that isn't known may be a new one
            try:
                found = jwt.decode(token, await self._known_keys(fresh), algorithms=ALGORITHMS)
                wanted.validate(found.claims)
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if fresh:
                    raise OidcRefused(f"the ID token is not accepted: {error}") from error
            else:
                claims: Mapping[str, Any] = found.claims
                audience = claims["aud"]
                many = isinstance(audience, list) and len(audience) > 1
                if claims.get("azp", settings.client_id if not many else "") != settings.client_id:
                    raise OidcRefused("the ID token is for another client")
                return claims
        raise OidcRefused("the ID token is not accepted")

    def _known(self, claims: Mapping[str, Any]) -> Known:
        name = next((str(claims[each]) for each in NAMES if claims.get(each)), "")
        value: Any = claims
        for part in self._settings.role_claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        told = value if isinstance(value, list) else [value]
        role = next((role for role in reversed(ROLES) if role in told), None)
        if role is None:
            raise OidcRefused(
                f"the provider gives {name} no role here: claim {self._settings.role_claim} of the "
                f"ID token must hold one of {', '.join(ROLES)}"
            )
        rights = tuple(right for right in RIGHTS if right in told)
        return Known(name, f"{claims['iss']} {claims['sub']}", role, rights)

    async def _described(self) -> Mapping[str, Any]:
        async with self._one_asker:
            if not self._about or time.monotonic() - self._asked_s > KEPT_S:
                issuer = self._settings.issuer
                where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
                about = await self._ask("GET", where)
                if about.get("issuer") != issuer:
                    raise OidcRefused(f"{where} is about another issuer: {about.get('issuer')!r}")
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                missing = [name for name in names if not isinstance(about.get(name), str)]
                if missing:
                    raise OidcRefused(f"{where} lacks {', '.join(missing)}")
                self._about, self._keys, self._asked_s = about, None, time.monotonic()
            return self._about

    async def _known_keys(self, fresh: bool) -> "KeySet":
        from joserfc.jwk import KeySet

        about = await self._described()
        if self._keys is None or fresh:
            found = await self._ask("GET", str(about["jwks_uri"]))
            self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]  # checked by it
        return self._keys

    async def _ask(
        self, method: str, where: str, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        settings = self._settings
        headers = {"Accept": "application/json"}
        if form is not None:  # each half is encoded as in a form (RFC 6749, 2.3.1)
            halves = map(quote_plus, (settings.client_id, settings.client_secret))
            headers["Authorization"] = "Basic " + b64encode(":".join(halves).encode()).decode()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session,
                session.request(
                    method, where, data=form, headers=headers, allow_redirects=False
                ) as response,
            ):
                body = await response.content.read(ANSWER_BYTES)
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("the sign-in", f"{where} does not answer: {error!r}") from error
        if status >= 500:
            raise Unavailable("the sign-in", f"{where} answers with {status}")
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = None
        if status != 200 or not isinstance(found, dict):
            told = found.get("error", "") if isinstance(found, dict) else ""
            raise OidcRefused(f"{where} answers with {status} {told}".rstrip())
        return found


def pending_of(cookie: str) -> Pending | None:
    """What the cookie keeps; None when it keeps nothing."""
    try:
        text = urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
        return msgspec.json.decode(text, type=Pending)
    except (ValueError, msgspec.DecodeError):
        return None
