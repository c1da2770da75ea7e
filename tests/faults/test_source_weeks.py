"""Each connector through a week of days with outages, throttling and kill -9 of the process: its
service is not asked again for what is archived, and every record is counted once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.forked import Nursery
from tests.faults.source_campaign import Campaign
from tests.faults.source_weeks import STORIES


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Begins processes."""
    found = Nursery()
    yield found
    found.close()


@pytest.mark.parametrize("name", ["YouTube"])
def test_a_week_with_a_few_kills_asks_for_no_page_again(
    name: str, tmp_path: Path, nursery: Nursery
) -> None:
    print(Campaign(name, 1, tmp_path, 3, nursery).play())


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", STORIES)
def test_a_week_with_twenty_kills_asks_for_no_page_again(
    name: str, tmp_path: Path, nursery: Nursery
) -> None:
    found = Campaign(name, 7, tmp_path, 20, nursery).play()
    print(found)
    assert found.inside >= 3  # some fetch but once a day, and that is soon over
