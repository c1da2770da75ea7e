"""What the documents of a page of FDDs are that are made at once: told once for all of them.

`made` in a Book's `store`:

    {"of": "<request>.<day>.<slot>.<revision>.", "request_id": …, "shared": {…},
     "records": [1, 2, …], "numbers": ["+…", …]}

The FDD of that prefix and each record number has that number, and what is shared: all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MADE: Final = "made"
OF_EACH = ("id", "request_id", "record_no", "number")
"""What comes before what is shared, in this order."""


def documents_of(change: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The documents of the FDDs that were made."""
    prefix, request_id, shared = change["of"], change["request_id"], change["shared"]
    return [
        {
            "id": f"{prefix}{record_no}",
            "request_id": request_id,
            "record_no": record_no,
            "number": number,
            **shared,
        }
        for record_no, number in zip(change["records"], change["numbers"], strict=True)
    ]
