"""Standby copies that are not kept are told to people."""

import asyncio
from pathlib import Path

from agents.standbys import Copy, Standbys
from app.facade.standing_by import lacking
from domain.errors import SluiceError
from tests.app.facade.house import House


def _no_copy(_table: str, _number: int) -> Copy:
    raise SluiceError("no room")


def test_a_copy_that_is_not_kept_is_a_trouble_of_its_worker(tmp_path: Path) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            standbys = Standbys(living.parts.log, _no_copy, lambda _: None)
            object.__setattr__(living.parts, "standbys", standbys)
            assert not (await living.facade.overview()).troubles
            standbys.take({("sessions", 1), ("sessions", 2)})
            await standbys.look()
            (trouble,) = (await living.facade.overview()).troubles
            assert (trouble.code, trouble.link) == ("standby-behind", "/processes")
            assert trouble.what == "Worker w-1 lacks its standby copy of sessions 1, and 1 more"
            assert trouble.means.startswith("no room. ")
            await standbys.stop()

    asyncio.run(work())


def test_each_worker_tells_of_its_own_copies() -> None:
    """As they come from others: through JSON."""
    figures = {
        "w-2": {"standbys": [["rollups", 0, "it is 90 s old"]]},
        "w-1": {"standbys": []},
        "w-0": {},  # of a release before copies
    }
    assert [(about, trouble.what) for about, trouble in lacking(figures)] == [
        ("w-2", "Worker w-2 lacks its standby copy of rollups 0")
    ]
