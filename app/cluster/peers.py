"""Asking the other workers: `POST /internal/QUESTION`, MessagePack in and out.

Questions read only, but for one that ends what can be ended at no loss. A worker that doesn't
answer is left out of the answers; who asks decides whether that matters.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from app.cluster.beat import Beat
from app.cluster.members import Members
from app.cluster.signing import HEADER, Once, is_signed, sign

logger = logging.getLogger(__name__)
PATH = "/internal/"
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP")
"""Headers by which a server in front says that somebody else asks."""
ANSWER_S = 5.0
Question = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes and returns what MessagePack holds. Names of questions are those of its mapping."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Peers:
    """Puts one question to all live workers, this one included. `secret` "" signs nothing."""

    def __init__(
        self, members: Members, questions: Mapping[str, Question], secret: str = ""
    ) -> None:
        self._members = members
        self._questions = questions
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        """Closes connections."""
        if self._session is not None:
            await self._session.close()

    async def ask_others(self, question: str, arguments: dict[str, Any]) -> list[Any]:
        """The answers of the other workers, of those who do."""
        _, *others = self._members.live()
        calls = (self._call(other, question, arguments) for other in others)
        return [told for told in await asyncio.gather(*calls) if told is not None]

    async def ask(self, question: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The answers by worker id; those who don't answer in ANSWER_S are missing."""
        own, *others = self._members.live()
        answers = await asyncio.gather(
            self._questions[question](arguments),
            *(self._call(other, question, arguments) for other in others),
        )
        return {
            beat.id: answer
            for beat, answer in zip((own, *others), answers, strict=True)
            if answer is not None
        }

    async def _call(self, other: Beat, question: str, arguments: dict[str, Any]) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
        path, body = PATH + question, _encode(arguments)
        # Host: what a console without users answers for; the address is the worker's all the same
        headers = {"Host": "localhost"}
        if self._secret:
            headers[HEADER] = sign(self._secret, path, body)
        try:
            async with self._session.post(other.url + path, data=body, headers=headers) as response:
                if response.status != 200:
                    logger.warning("%s answers %s with %d", other.id, path, response.status)
                    return None
                return _decode(await response.read())
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            # without the question: many are asked a second, and the line is told once in a while
            logger.warning("%s does not answer: %r", other.id, error)
            return None


def route(questions: Mapping[str, Question], secret: str) -> web.RouteDef:
    """Where the others' questions are answered. Without a secret, only from this machine."""

    once = Once()

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if secret:
            given = request.headers.get(HEADER, "")
            if not is_signed(secret, request.path, body, given):
                raise web.HTTPForbidden(text="The call isn't signed with SLUICE_CLUSTER_SECRET.")
            if not once.take(given):
                raise web.HTTPForbidden(text="The call was made before; each is good once.")
        elif request.remote not in ("127.0.0.1", "::1") or any(
            name in request.headers for name in FORWARDED
        ):
            raise web.HTTPForbidden(text="Without SLUICE_CLUSTER_SECRET, from this machine only.")
        question = questions.get(request.match_info["question"])
        if question is None:
            raise web.HTTPNotFound
        answered = await question(_decode(body))
        return web.Response(body=_encode(answered), content_type="application/msgpack")

    return web.post(PATH + "{question}", answer)
