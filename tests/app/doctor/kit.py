"""Faults, each prepared for real, and what doctor says of them.

`@fault(TITLE)` puts a test on the list: docs/operations.md shows the same titles.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.app.cli.running import NOBODY, Ran, sluice, sluice_process

T = TypeVar("T", bound=Callable[..., None])
FAULTS: dict[str, str] = {}
"""title -> name of the test"""


def fault(title: str) -> Callable[[T], T]:
    """Lists a test under the fault that it prepares."""

    def listed(test: T) -> T:
        assert title not in FAULTS
        FAULTS[title] = test.__name__
        return test

    return listed


def doctor(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    server: str = "",
    process: bool = False,
) -> Ran:
    """`sluice doctor --json` on a data directory. Without a server it asks nobody in particular."""
    given = {"SLUICE_DATA_DIR": str(folder), "SLUICE_WEB_PORT": "0", **(environ or {})}
    if process:
        given["SLUICE_SERVER"] = server or NOBODY
        return sluice_process("doctor", "--json", environ=given)
    return sluice("doctor", "--json", server=server, environ=given)


def found(ran: Ran, name: str, says: str = "", state: str = "wrong") -> dict[str, Any]:
    """The check of that name and state whose detail says this; it tells what to do."""
    checks: list[dict[str, Any]] = ran.json["checks"]
    fitting = [
        c for c in checks if (c["name"], c["state"]) == (name, state) and says in c["detail"]
    ]
    if not fitting:
        pytest.fail(f"no {state} {name!r} that says {says!r} among {checks}")
    check = fitting[0]
    assert check["todo"]
    if state == "wrong":
        assert (ran.code, ran.json["ok"]) == (1, False)
    return check


def wrong(ran: Ran) -> set[str]:
    """The names of what is wrong."""
    return {check["name"] for check in ran.json["checks"] if check["state"] == "wrong"}
