"""How the client's methods ask: one connection, exact numbers, errors as types.

Built on the client of the command line. Not for several threads; each answer is whole in memory.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from secrets import token_hex
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from app.cli.http import Client as Connection
from app.cli.http import Response, not_json
from app.cli.output import json_bytes

T = TypeVar("T")
JSON = "application/json"
Query = Mapping[str, str | int | float | bool | Sequence[str] | None]


class Caller:
    """`server`: its URL; `token`: made by `sluice tokens create`, empty where nobody is set up.

    Methods raise `Refused` for what the server refuses (`status`, `detail`, `errors` by path),
    `ServerBusy` for what may work in a moment, and `ServerUnreachable`. A change that was cut off
    may have been made: repeat it with the same `idempotency_key`, and it is made once.
    """

    def __init__(
        self, server: str = "http://127.0.0.1:6066", token: str = "", timeout_s: float = 30.0
    ) -> None:
        self._connection = Connection(server, token, timeout_s)

    def close(self) -> None:
        """Closes the connection; a call after it opens a new one."""
        self._connection.close()

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _typed(self, answers: Mapping[int, type[T]], method: str, path: str, **more: Any) -> T:
        """The answer as the struct that its status stands for."""
        answered = self._ask(method, path, **more)
        kind = answers.get(answered.status)
        try:
            if kind is None:
                raise msgspec.ValidationError(f"status {answered.status} is not expected")
            return msgspec.json.Decoder(kind, float_hook=Decimal).decode(answered.body)
        except msgspec.DecodeError as error:
            raise not_json(answered, error) from error

    def _bytes(self, method: str, path: str, **more: Any) -> bytes:
        """The answer as it came: a file, or JSON of no fixed shape."""
        return self._ask(method, path, **more).body

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: object = None,
        media: str = JSON,
    ) -> Response:
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        content = body if isinstance(body, bytes) or body is None else json_bytes(body)
        if content is not None:
            sent["Content-Type"] = media
        sent["Accept"] = f"{JSON}, */*;q=0.5"
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        return self._connection.request(method, path, query=asked, body=content, headers=sent)


def fields_of(name: str, values: Mapping[str, str] | None) -> dict[str, str]:
    """`group.FIELD=VALUE` for each field."""
    return {f"{name}.{field}": value for field, value in (values or {}).items()}


def piece(text: str) -> str:
    """A piece of a path."""
    return quote(text, safe="")


def multipart(file: bytes, filename: str, description: Mapping[str, object]) -> tuple[bytes, str]:
    """(body, media type) of an upload."""
    mark = token_hex(16).encode()
    name = filename.replace("\\", "%5C").replace('"', "%22").replace("\r", "").replace("\n", "")
    parts = (
        (b'name="description"', json_bytes(description)),
        (f'name="file"; filename="{name}"'.encode(), file),
    )
    body = b"".join(
        b"--" + mark + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return body + b"--" + mark + b"--\r\n", f"multipart/form-data; boundary={mark.decode()}"


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
