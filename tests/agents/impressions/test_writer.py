"""Files that loads come into again and again."""

from dataclasses import dataclass

from connectors.files.base import Reading
from domain.impressions.layout import PARTITIONED
from tests.agents.impressions.kit import MemoryFiles, check_table, content_of, load, packed

LOADS = 9


@dataclass
class Counted(MemoryFiles):
    """Counts how often a file is opened."""

    opened: int = 0

    def open(self, name: str, start: int = 0, end: int | None = None) -> Reading:
        self.opened += 1
        return super().open(name, start, end)


def test_a_file_is_asked_for_once_however_many_loads_it_holds() -> None:
    files = Counted()
    for number in range(LOADS):
        rows = [f"06/01/2025,{number}-{n},a,v,0.5" for n in range(50)]
        load(files, packed(*rows), f"day{number}.csv.gz")
    held = len(check_table(files, PARTITIONED).files)
    assert content_of(files, PARTITIONED).total() == 50 * LOADS
    rows = [f"06/01/2025,x{n},a,v,0.5" for n in range(50)]
    before = files.opened
    load(files, packed(*rows), "again.csv.gz")
    # each file of the date in one go, and the file that is loaded; the new load lies between two
    # of those that are there
    assert files.opened - before <= held + 1
