"""Phone numbers in what goes out: masked for who may not see them, and audited for who may.

Every answer passes here whatever made it, so that a new page or route can't forget it. Files that
are no text (Excel, Parquet) and SQL are masked where their rows are made. While no user is set up
nothing is masked.
"""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.backend import BadCursor
from app.web import audited
from app.web.people import PEOPLE, person_of
from app.web.problems import ProblemError
from app.web.routes import Handler
from domain.masking import Masker

MASKER: Final = web.RequestKey("masker", Masker)
TOLD: Final = web.RequestKey("numbers-told", bool)
IN_A_THREAD_BYTES = 64 * 1024  # some milliseconds of work
PLAIN = (
    "/static/",
    "/health/",
    "/metrics",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "/internal/",
)
LINE = b"\n"
WITH_CURSORS = ("application/json", "text/html")
BEGUN = re.compile(r"\+ ?[0-9]")  # a phone number, as far as it goes
SEALED = "~"
CURSOR = b"cursor"  # what a seal is for
_CURSOR = re.compile(r'("next":"|cursor=)([A-Za-z0-9_-]{4,})')


def masker_of(request: web.Request) -> Masker | None:
    """What masks this answer; for who may see numbers it only counts them. None without users."""
    if not request.app[PEOPLE].any_users:
        return None
    found = request.get(MASKER)
    if found is None:
        person = person_of(request)
        sees = person is not None and "numbers" in person.rights
        found = request[MASKER] = Masker(only_counts=sees)
    return found


def fresh_masker_of(request: web.Request) -> Masker | None:
    """Another one of the same kind: for what is made anew for many, of whom `request` is one."""
    known = masker_of(request)
    return None if known is None else Masker(only_counts=known.only_counts)


async def tell_seen(request: web.Request, count: int) -> None:
    """Audits, once an answer, that numbers are seen which another masker counted."""
    masker = masker_of(request)
    if masker is not None:
        masker.found = max(masker.found, count)
    await tell(request)


async def tell(request: web.Request) -> None:
    """Audits, before they go out, that numbers are seen unmasked: once an answer."""
    masker, person = request.get(MASKER), person_of(request)
    if masker is None or not masker.found or person is None or request.get(TOLD):
        return
    if "numbers" in person.rights:
        request[TOLD] = True
        await audited.tell(request, "numbers.see", {"count": masker.found})


def check_key(request: web.Request, key: str, path: str) -> None:
    """Refuses to have a number guessed, by rows of a key that holds or begins it: whole, or digit
    by digit. `path` names the parameter. Raises ProblemError (403).
    """
    masker = masker_of(request)
    hides = masker is not None and not masker.only_counts
    if hides and BEGUN.search(key):
        detail = "Rows are found by a phone number or a part of one by who has the right `numbers`."
        raise ProblemError(403, "forbidden", detail, [{"path": path}])


def seal(request: web.Request, masker: Masker, text: str) -> str:
    """Cursors of lists tell where to go on, which may be a number: then they are sealed."""
    if masker.only_counts:
        return text
    cipher = AESSIV(request.app[PEOPLE].cursor_key)

    def one(match: re.Match[str]) -> str:
        place = _decoded(match[2])
        if place is None or masker.bytes(place) == place:
            return match[0]
        sealed = urlsafe_b64encode(cipher.encrypt(place, [CURSOR])).decode().rstrip("=")
        return f"{match[1]}{SEALED}{sealed}"

    return _CURSOR.sub(one, text)


def unsealed(request: web.Request, cursor: str) -> str:
    """A cursor as the list that gave it out knows it. Raises BadCursor."""
    if not cursor.startswith(SEALED):
        return cursor
    sealed = _decoded(cursor[len(SEALED) :])
    try:
        place = AESSIV(request.app[PEOPLE].cursor_key).decrypt(sealed or b"", [CURSOR])
    except (InvalidTag, ValueError) as error:
        raise BadCursor(cursor) from error
    return urlsafe_b64encode(place).decode().rstrip("=")


def _decoded(text: str) -> bytes | None:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return None


@web.middleware
async def mask(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Masks the whole answers; streams and files are masked as they are written."""
    response = await handler(request)
    if response.prepared or not isinstance(response, web.Response):
        return response
    body = response.body
    if not isinstance(body, bytes | bytearray) or not body or request.path.startswith(PLAIN):
        return response
    masker = masker_of(request)
    if masker is None:
        return response
    work = _by_type(masker, response.content_type)
    if work is not None and response.content_type in WITH_CURSORS:
        work = _sealing(request, masker, work)
    if work is not None:
        if len(body) > IN_A_THREAD_BYTES:
            response.body = await asyncio.to_thread(work, bytes(body))
        else:
            response.body = work(bytes(body))
    await tell(request)
    return response


def _sealing(
    request: web.Request, masker: Masker, work: Callable[[bytes], bytes]
) -> Callable[[bytes], bytes]:
    seals = _texts(lambda text: seal(request, masker, text))
    return lambda body: seals(work(body))


def _by_type(masker: Masker, media: str) -> Callable[[bytes], bytes] | None:
    if media.endswith("json"):
        return _texts(masker.json)
    if media == "text/html":
        return _texts(masker.html)
    if media == "text/csv":
        return _texts(masker.csv)
    if media.startswith("text/") or media == "application/edn":
        return _texts(masker.text)
    if media == "application/octet-stream":
        return masker.bytes
    return None


def _texts(work: Callable[[str], str]) -> Callable[[bytes], bytes]:
    return lambda body: work(body.decode("utf-8", "surrogateescape")).encode(
        "utf-8", "surrogateescape"
    )


async def rows(
    request: web.Request, given: AsyncIterator[Mapping[str, Any]]
) -> AsyncIterator[Mapping[str, Any]]:
    """Rows of a file, by column."""
    masker = masker_of(request)
    async for row in given:
        yield row if masker is None else masker.row(row)


async def pieces(
    request: web.Request, given: AsyncIterator[bytes], *, loose: bool = False
) -> AsyncIterator[bytes]:
    """Text of a file as it is made; `loose`: rows as they were uploaded. A number that two pieces
    share is seen, as they are cut at the ends of lines.
    """
    masker = masker_of(request)
    if masker is None:
        async for piece in given:
            yield piece
        return
    work = _texts(masker.loose if loose else masker.text)
    left = b""
    async for piece in given:
        whole, end, rest = (left + piece).rpartition(LINE)
        left = rest
        if end:
            shown = work(whole + end)
            await tell(request)
            yield shown
    shown = work(left)
    await tell(request)
    if shown:
        yield shown
