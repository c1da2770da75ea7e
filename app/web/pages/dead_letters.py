"""Dead letters: what could not be applied, by reason, and each letter with its bytes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import web

from app.shapes import DeadLetter
from app.web.api.dead_letters import wanted
from app.web.context import BACKEND
from app.web.explanations import explanation
from app.web.marks import pretty
from app.web.masked import masker_of
from app.web.pages import replay_letters
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor
from app.web.problems import not_found
from app.web.wire import loads

ROWS = 50
BYTES_SHOWN = 4096  # the rest is there to be downloaded


async def build_list(request: web.Request) -> Context:
    """Counts by reason and the letters that match the filters of the address."""
    backend = request.app[BACKEND]
    where = wanted(request)
    page = await backend.dead_letters(where, ROWS, cursor(request))
    counts = await backend.dead_letter_counts()
    by_reason: dict[str, dict[str, Any]] = {}
    for item in counts:
        row = by_reason.setdefault(
            item.reason, {"open": 0, "total": 0, "latest_ms": 0, "aggregators": []}
        )
        row["open"] += item.open
        row["total"] += item.total
        row["latest_ms"] = max(row["latest_ms"], item.latest_ms)
        row["aggregators"].append(item.aggregator or "no aggregator")
    return {
        "where": where,
        "letters": page.items,
        "more": _address({**where, "cursor": page.next}) if page.next else "",
        "first": _address(where) if cursor(request) else "",
        "reasons": by_reason,
        "open": sum(item.open for item in counts),
        "total": sum(item.total for item in counts),
        "aggregators": sorted({item.aggregator for item in counts if item.aggregator}),
        "explain": explanation,
        "link": link,
        "replay": replay_letters.address(where),
        "done": replay_letters.result(request.query.get("done")),
    }


def _address(where: Mapping[str, str]) -> str:
    return f"/dead-letters?{urlencode(where)}" if where else "/dead-letters"


def link(letter: DeadLetter) -> str:
    """The page of a letter."""
    return f"/dead-letters/{quote(letter.id, safe='')}"


async def build_one(request: web.Request) -> Context:
    """A letter: why, where it lay, and its bytes."""
    letter = await _letter(request)
    masker = masker_of(request)
    if masker is not None:  # before it is cut into lines
        letter = replace(letter, original=masker.bytes(letter.original))
    shown = letter.original[:BYTES_SHOWN]
    return {
        "letter": letter,
        "why": explanation(letter.reason),
        "link": link(letter),
        "replay": replay_letters.address({"id": letter.id}),
        "text": _text(letter.original) if len(shown) == len(letter.original) else "",
        "dump": dump(shown),
        "hidden": len(letter.original) - len(shown),
    }


async def _letter(request: web.Request) -> DeadLetter:
    letter_id = request.match_info["id"]
    letter = await request.app[BACKEND].dead_letter(letter_id)
    if letter is None:
        raise not_found(f"dead letter {letter_id!r}", "Dead letters lists those that are kept.")
    return letter


def _text(original: bytes) -> str:
    """The bytes as JSON over several lines, else as text, else ""."""
    try:
        return pretty(loads(original))
    except (msgspec.DecodeError, ValueError, RecursionError):
        try:
            return original.decode()
        except UnicodeDecodeError:
            return ""


def dump(data: bytes) -> str:
    """Offsets, bytes and characters, 16 a line."""
    lines = []
    for at in range(0, len(data), 16):
        piece = data[at : at + 16]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in piece)
        lines.append(f"{at:06x}  {piece.hex(' '):<47}  {characters}")
    return "\n".join(lines)


async def _original(request: web.Request) -> web.StreamResponse:
    """The record's bytes as a file."""
    letter = await _letter(request)
    return web.Response(
        body=letter.original,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{_file_name(letter.id)}.bin"'},
    )


def _file_name(letter_id: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in letter_id) or "letter"


async def _replay(request: web.Request) -> web.StreamResponse:
    return await replay_letters.post(request, PAGE)


PAGE = Page(
    "Dead letters",
    "d",
    (
        View("/dead-letters", "dead_letters.html", build_list, ("answer", "reasons", "letters"), 5),
        View(replay_letters.PATH, "replay.html", replay_letters.build),
        View("/dead-letters/{id}", "dead_letter.html", build_one),
    ),
    actions=((replay_letters.PATH, _replay),),
    gets=(("/dead-letters/{id}/original", _original),),
)
