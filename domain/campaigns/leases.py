"""How the documents of a page of FDDs change that are ordered at once: told once for all of them.

A change, `leases` in a Book's `store`, is for FDDs that had no attempt:

    {"of": "<request>.<day>.<slot>.<revision>.", "records": [1, 2, …], "attempt": {…}}

The FDD of that prefix and each record number becomes LEASED, with that attempt as its only one.
`execution_id` is told by the id. Nothing else changes, so what a store has of it is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.campaigns.keys import execution_id

LEASES = "leases"


def ids_of(change: Mapping[str, Any]) -> list[str]:
    """The FDDs that a change is for."""
    prefix = change["of"]
    return [f"{prefix}{record_no}" for record_no in change["records"]]


def leased(document: Mapping[str, Any], ident: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """The document of an FDD after it."""
    attempt = {"execution_id": execution_id(ident, change["attempt"]["attempt"])}
    return {
        **document,
        "state": "LEASED",
        "reason": None,
        "attempts": [attempt | change["attempt"]],
    }
