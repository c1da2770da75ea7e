"""Standby copies that are not what they are for, as the Overview tells of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.shapes import Trouble


def lacking(figures: Mapping[str, Any]) -> Iterator[tuple[str, Trouble]]:
    """One trouble a worker, about it; `figures` are those of all workers."""
    for worker, told in sorted(figures.items()):
        copies = told.get("standbys")
        if not copies:
            continue
        (table, number, why), *others = copies
        more = f", and {len(others):,} more" if others else ""
        yield (
            worker,
            Trouble(
                "standby-behind",
                f"Worker {worker} lacks its standby copy of {table} {number}{more}",
                f"{why}. Their owners go on; would they end now, whoever takes over needs longer.",
                "See the worker's log, its disk and its load; a copy is tried again each minute.",
                link="/processes",
            ),
        )
