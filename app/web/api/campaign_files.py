"""Files that the API gives out piece by piece: CSV, JSON and Excel."""

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from app.campaign_shapes import Json
from app.web import masked
from app.web.wire import dumps

PIECE_BYTES = 64 * 1024
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def defused(text: str) -> str:
    """The text with a `'` in front when a spreadsheet would run it as a formula.

    What is wholly a number (E.164 is one) stays: it would be shown as that and no more.
    """
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def cell(value: object) -> object:
    """A cell of a spreadsheet: text defused, null empty, booleans as in JSON, numbers as such."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, int) else defused(str(value))


async def csv_lines(columns: Sequence[str], rows: AsyncIterator[Json]) -> AsyncIterator[bytes]:
    """A CSV with a header, in pieces."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    async for row in rows:
        writer.writerow([cell(row.get(name)) for name in columns])
        if text.tell() > PIECE_BYTES:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


async def json_lines(rows: AsyncIterator[Json]) -> AsyncIterator[bytes]:
    """`{"items":[…]}`, in pieces."""
    piece = bytearray(b'{"items":[')
    first = True
    async for row in rows:
        piece += dumps(row) if first else b"," + dumps(row)
        first = False
        if len(piece) > PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"]}")


async def send(
    request: web.Request,
    body: AsyncIterator[bytes],
    filename: str,
    media: str = CSV,
    *,
    loose: bool = False,
) -> web.StreamResponse:
    """Answers with a file to be kept; `loose`: it has rows as they were uploaded. An
    error before its first piece becomes a problem document; after it the connection breaks, so that
    nobody takes a part for the whole.
    """
    if media == CSV:
        body = masked.pieces(request, body, loose=loose)
    first = await anext(body, b"")
    await masked.tell(request)
    charset = {"charset": "utf-8"} if media == CSV else {}
    response = web.StreamResponse(
        headers={"Content-Disposition": f'attachment; filename="{filename}"'}
    )
    response.content_type = media
    if charset:
        response.charset = charset["charset"]
    await response.prepare(request)
    if first:
        await response.write(first)
    async for piece in body:
        await masked.tell(request)
        await response.write(piece)
    await response.write_eof()
    return response
