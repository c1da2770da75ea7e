"""A source's rows made again from its archive, beside the records that go on coming.

First every record of the archive is taken `again`, quietly; then what the archive does not have is
dropped; then each bucket that differs from what was told of it is told. Each step is a commit of
its own and may be repeated from the beginning: a kill leaves rows that the next run puts right.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.metrics.grains import GRAINS
from domain.metrics.partials import Partial
from domain.metrics.rolling import Book, Rolling, cube_bytes, cube_of, send_bucket
from domain.metrics.series import (
    RECORD,
    UNTOLD,
    Rows,
    decode_given,
    decode_series,
    instant_of,
    plain,
    series_key,
)

_SERIES_END = 17  # of the key of a bucket: its letter, the series, the grain, the instant


def known_records(rows: Rows, source: str, after: bytes, most: int) -> list[tuple[bytes, int]]:
    """(digest, version) of the source's records behind the digest `after`, in order."""
    prefix = RECORD + source.encode() + b"\0"
    begin = prefix + after if after else b""
    found = rows.scan(prefix, begin, most)
    return [(key[len(prefix) :], decode_given(value).version) for key, value in found]


def drop_all(book: Book, source: str, digests: Sequence[bytes]) -> int:
    """Takes out these records quietly."""
    rolling = Rolling(book, quiet=True)
    for digest in digests:
        rolling.drop(source, digest)
    rolling.close()
    return rolling.taken


def tell_changed(book: Book, most: int) -> tuple[int, bool]:
    """Looks at so many buckets that were changed unsaid, and tells of those that differ from what
    was told last. How many were told, and whether there may be more."""
    found = book.scan(UNTOLD, b"", most)
    told = 0
    for key, value in found:
        book.delete(key)
        cube = key[len(UNTOLD) :]
        metric, last = plain(value)
        series = cube[1:_SERIES_END]
        now = book.get(cube)
        row = book.get(series_key(metric, series))
        if now is None or row is None:
            continue
        revision, after = cube_of(now)
        before = Partial() if last is None else cube_of(last)[1]
        if after.looks_as(before):
            continue
        series_row = decode_series(row)
        grain, start = GRAINS[cube[_SERIES_END]], instant_of(cube[_SERIES_END + 1 :])
        book.put(cube, cube_bytes(revision + 1, after))
        send_bucket(book, series_row, series_row.zone, grain, start, revision + 1, after)
        told += 1
    return told, len(found) == most
