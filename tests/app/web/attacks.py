"""What attacks are made with: the routes as the application mounts them, a backend that is watched,
and one whose every name and text is hostile.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from dataclasses import replace as replaced
from html.parser import HTMLParser
from typing import Any, Literal, get_args, get_origin, get_type_hints

from app.web.server import make_web
from config.documents.registry import KINDS
from tests.app.web.fake import FakeBackend
from tests.browser.dev import DevSettings

PIECE = re.compile(r"\{(\w+)[^{}]*\}")
HEAD, TAIL = "javascript:hack();", "'\"><img src=x onerror=hack()><script>hack()"
"""A name that is a program where it is taken for an address, and one where it is taken for HTML."""
KEPT = KINDS.keys() | {
    "Uploaded", "Scheduled", "Running", "Finished", "Cancelled", "CREATED", "QUEUED", "LEASED",
    "STARTED", "IN_PROGRESS", "COMPLETED", "PARTIAL_COMPLETE", "FAILED", "NEGATIVE", "REVOKED",
    "done", "running", "refused",
}  # fmt: skip
"""Words of the product's own that stand in plain JSON, where no type tells them from data."""


def mounted() -> list[tuple[str, str]]:
    """(method, path) of every route that the application's router knows, but HEAD."""
    backend = FakeBackend()
    app = make_web(backend, DevSettings(), backend.clock)
    found = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    return sorted(found)


def filled(path: str, value: str | Mapping[str, str]) -> str:
    """An address of the route, with `value` for each of its pieces."""
    return PIECE.sub(lambda m: value if isinstance(value, str) else value[m[1]], path)


class Watched:
    """Passes all on to another backend; `called` names what was asked of it."""

    def __init__(self, behind: FakeBackend) -> None:
        self.called: list[str] = []
        self._behind = behind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if callable(found):
            self.called.append(name)
        return found

    def state(self) -> str:
        """All that the backend holds, but for what it was asked."""
        return repr({k: v for k, v in vars(self._behind).items() if k not in ("calls", "asked")})


def watched(behind: FakeBackend | None = None) -> Any:
    """A backend that is watched."""
    return Watched(behind or FakeBackend())


class Hostile:
    """What another backend answers, with HEAD and TAIL around each text that is data; asked by such
    a name it finds the one without."""

    def __init__(self, behind: FakeBackend) -> None:
        self._behind = behind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if not callable(found):
            return found

        def ask(*given: Any, **named: Any) -> Any:
            told = found(*map(_plain, given), **{k: _plain(v) for k, v in named.items()})
            if hasattr(told, "__await__"):
                return _awaited(told)
            return told

        return ask


async def _awaited(told: Any) -> Any:
    return evil(await told)


def evil(value: Any, kind: Any = str) -> Any:
    """`value` with every text that is data made hostile; `kind` is the type it is declared as."""
    if _is_word(kind) or value is None or isinstance(value, Exception):
        return value
    if isinstance(value, str):
        return value if value in KEPT or not value else f"{HEAD}{value}{TAIL}"
    if isinstance(value, bytes):
        return _evil_bytes(value)
    if is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        return replaced(
            value,
            **{
                f.name: evil(getattr(value, f.name), hints[f.name]) for f in fields(value) if f.init
            },
        )
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(evil(item) for item in value))
    if isinstance(value, Mapping):  # documents of figures are read again: titles alone are free
        if value.keys() & {"widgets", "metric", "connector"}:
            return {k: evil(v) if k in ("title", "widgets") else v for k, v in value.items()}
        return {key: evil(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return type(value)(evil(item) for item in value)  # type: ignore[call-arg]
    return value


def _evil_bytes(value: bytes) -> bytes:
    try:
        return json.dumps(evil(json.loads(value))).encode()
    except ValueError:
        return HEAD.encode() + value + TAIL.encode()


def _is_word(kind: Any) -> bool:
    return get_origin(kind) is Literal or any(map(_is_word, get_args(kind)))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(HEAD, "").replace(TAIL, "")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


class Found(HTMLParser):
    """What of a page would run somebody else's script: tags, attributes and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.links: set[str] = set()
        self.fields: list[tuple[str, str]] = []
        self.nonces: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag."""
        given = dict(attrs)
        where = self.get_starttag_text() or tag
        foreign = tag == "img" and not (given.get("src") or "").startswith("/static/")
        if foreign or any(name.startswith("on") for name in given):
            self.runs.append(where)
        if tag == "script" and given.get("type") != "application/json":
            self.nonces.add(given.get("nonce"))
        for name in ("href", "src", "action", "formaction", "data"):
            address = (given.get(name) or "").strip().lower()
            if re.match(r"[a-z][a-z0-9+.-]*:|//", address):
                self.runs.append(where)
        if tag == "a" and (given.get("href") or "").startswith("/"):
            self.links.add((given["href"] or "").partition("#")[0])
        if tag in ("input", "select", "textarea") and given.get("name"):
            self.fields.append((given["name"] or "", given.get("value") or ""))


def looked_through(html: str) -> Found:
    """The page, read as a browser reads it."""
    found = Found()
    found.feed(html)
    found.close()
    return found
