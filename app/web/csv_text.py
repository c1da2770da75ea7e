"""Rows as CSV text: quoted where needed, an empty field for null, no formulas."""

import csv
import io
from collections.abc import Iterable, Sequence

from app.web.api.campaign_files import cell

CSV = "text/csv"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8, lines ending in CR LF as RFC 4180 says."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([figure_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def figure_cell(value: object) -> object:
    """As `cell`; a number that is no whole one stays a number too."""
    return value if isinstance(value, float) else cell(value)
