"""Files of FACT_JOINED that FACT_UPDATED refers to: they stay for as long as it does."""

from agents.impressions.dimension import newest, take_dimension
from agents.impressions.joining import join, update
from agents.impressions.report import status
from agents.impressions.store import Store
from domain.clock import FixedClock
from domain.impressions.layout import JOINED, UPDATED, folder
from tests.agents.impressions.kit import (
    NOW_MS,
    MemoryFiles,
    check_clean,
    check_table,
    load,
    source_of,
)
from tests.agents.impressions.kit import packed as rows

CLOCK = FixedClock(NOW_MS)


def joined_anew(files: MemoryFiles, number: int) -> None:
    """One more row of the campaign: its file of FACT_JOINED is replaced."""
    load(files, rows(f"06/01/2025,{number},a,v,0.5"), f"day{number}.gz", buckets=1)
    join(files, CLOCK, newest(Store(files)))


def in_force(files: MemoryFiles, table: str) -> set[str]:
    return {one.path for one in status(Store(files), table).files}


def test_a_joined_file_stays_while_fact_updated_refers_to_it() -> None:
    files = MemoryFiles()
    load(files, rows("06/01/2025,0,a,v,0.5"), "day0.gz", buckets=1)
    take_dimension(files, CLOCK, source_of(b"campaign_id,name\na,x\n", "dim.csv"))
    join(files, CLOCK, newest(Store(files)))
    update(files, CLOCK, newest(Store(files)))
    (referred,) = in_force(files, UPDATED)
    assert referred.startswith(folder(JOINED))
    for number in range(1, 5):
        joined_anew(files, number)
        assert referred not in in_force(files, JOINED)
        assert check_table(files, UPDATED).manifest.rows == 1

    update(files, CLOCK, newest(Store(files)))
    assert check_table(files, UPDATED).manifest.rows == 5
    for number in range(5, 7):
        joined_anew(files, number)
    assert referred not in files.held
    assert check_table(files, UPDATED).manifest.rows == 5
    check_clean(files)
