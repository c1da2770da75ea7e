"""The place where new files of impressions are put: looked at every so often."""

from dataclasses import dataclass, field

from agents.impressions.store import Store
from connectors.files.base import Files
from domain.impressions.jobs import Seen
from domain.impressions.layout import PARTITIONED

ENDING = ".gz"


@dataclass
class Incoming:
    """`without`: a folder in it that is not looked into (that of the tables). `settled`: files
    appear there whole, as on S3; else one is taken once it was the same for two looks."""

    files: Files
    without: str = ""
    settled: bool = True
    _before: set[Seen] = field(default_factory=set)

    def look(self) -> tuple[list[Seen], list[Seen]]:
        """The objects there, by name, and those of them that can be taken; blocks. Raises
        FilesError."""
        found = [
            Seen(f"{self.files.where}/{one.name}", one.tag)
            for one in self.files.list(without=self.without)
            if one.name.lower().endswith(ENDING)
        ]
        before, self._before = self._before, set(found)
        return found, found if self.settled else [seen for seen in found if seen in before]


def loaded(files: Files) -> set[Seen]:
    """The objects that the table has, or had until they were taken out; blocks."""
    manifest, _ = Store(files).manifest(PARTITIONED)
    return {Seen(load.file, load.tag) for load in manifest.loads}
