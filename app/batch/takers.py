"""What the aggregators of a run take from a file: records of any format become chunks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Literal

from agents.chunks import Chunk
from connectors.formats.csv import CsvReader
from connectors.formats.files import Format
from connectors.formats.jsonl import JsonLinesReader
from connectors.formats.parquet import ParquetReader
from connectors.formats.records import PathKinds, Reader, Records
from domain.aggregation.bulk import BulkExtract, Groups, Refused, compile_bulk
from domain.aggregation.extract import number_paths
from domain.aggregation.rule import Rule
from domain.errors import Reject


@dataclass(frozen=True)
class Refusal:
    """A record that can't be applied, by one aggregator or (None) by any."""

    line: int
    rule: Rule | None
    reject: Reject


@dataclass
class Taken:
    """What came of some records."""

    chunks: list[Chunk] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    filtered: dict[str, int] = field(default_factory=dict)


class Originals(dict[int, bytes]):
    """Records as they stand in the file, looked up when one is asked for."""

    def __init__(self, original: Callable[[int], bytes]) -> None:
        super().__init__()
        self._original = original

    def get(self, line: int, default: object = None) -> bytes:
        return self._original(line)


class Takers:
    """The aggregators of a run, in the order of their documents."""

    def __init__(self, rules: Sequence[Rule], max_record_bytes: int) -> None:
        self.rules = tuple(rules)
        self._max_record_bytes = max_record_bytes
        self._kinds = kinds_of(rules)
        self._readers: dict[Format, Reader] = {}
        self._extracts: dict[str, list[BulkExtract]] = {}

    def reader(self, format_: Format) -> Reader:
        """The reader of a format, for all that the aggregators want."""
        found = self._readers.get(format_)
        if found is None:
            if format_ == "jsonl":
                found = JsonLinesReader(self._kinds, self._max_record_bytes)
            elif format_ == "csv":
                found = CsvReader(self._kinds, self._max_record_bytes)
            else:
                found = ParquetReader(self._kinds)
            self._readers[format_] = found
            if found.shape not in self._extracts:
                self._extracts[found.shape] = [
                    compile_bulk(rule.document, found.attributes, found.shape)
                    for rule in self.rules
                ]
        return found

    def take(
        self, reader: Reader, records: Records, topic: str, floors: Sequence[int], now: int
    ) -> Taken:
        """Takes records apart. `floors` has the last line applied, by aggregator."""
        taken = Taken()
        taken.refusals = [Refusal(line, None, reject) for line, reject in records.refused]
        originals = Originals(records.original)
        for rule, extract, floor in zip(
            self.rules, self._extracts[reader.shape], floors, strict=True
        ):
            if floor >= records.end.line:
                continue
            groups: Groups = {}
            refused: Refused = []
            filtered = extract(records.lines, repeat(now), records.rows(), groups, refused)
            taken.refusals += (
                Refusal(line, rule, reject) for line, reject in refused if line > floor
            )
            passed = sum(line > floor for line in filtered)
            if passed:
                taken.filtered[rule.name] = passed
            if groups:
                whole, found = records.end.line, list(groups.items())
                chunk = Chunk(topic, 0, rule.name, rule.version, found, whole, originals)
                taken.chunks.append(chunk)
        taken.refusals.sort(key=lambda refusal: refusal.line)
        return taken


def kinds_of(rules: Sequence[Rule]) -> PathKinds:
    """How the aggregators together want each path."""
    kinds: dict[str, Literal["any", "raw", "number"]] = {}
    for rule in rules:
        numbers = number_paths(rule.document)
        for path, kind in rule.paths().items():
            mine: Literal["any", "raw", "number"] = "number" if path in numbers else kind
            kinds[path] = mine if kinds.get(path, mine) == mine else "any"
    return kinds
