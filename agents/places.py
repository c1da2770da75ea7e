"""On which shard things live by a number of shards: sessions by key, letters at their home."""

from collections.abc import Callable, Sequence

from agents.replay_messages import home_of
from connectors.streams.murmur2 import partition_for, partitions_for
from domain.aggregation.extract import placer
from domain.aggregation.rule import Rule, split_row_key
from domain.errors import Invariant
from tables.documents import Documents
from tables.letters import is_letter

Place = Callable[[bytes], bytes]


class Places:
    """See the module."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._by_group: dict[tuple[str, str], Place] = {}
        self._by_rule: dict[tuple[str, int], Place] = {}

    def of_rows(self, row_keys: Sequence[bytes], shards: int) -> list[int]:
        """Where rows live, by their keys."""
        return [self._of_row(key, shards) for key in row_keys]

    def _of_row(self, row_key: bytes, shards: int) -> int:
        name, spec_hash, key = split_row_key(row_key)
        if is_letter(row_key):
            return home_of(key.decode(), shards)
        place = self._by_group.get((name, spec_hash))
        if place is None:
            rules = self._documents.versions_of(name)
            found = [rule for rule in rules if rule.spec_hash == spec_hash]
            if not found:
                raise Invariant("a session's document is known", f"aggregator {name}, {spec_hash}")
            place = self._by_group[name, spec_hash] = placer(found[0].document)
        return partition_for(place(key), shards)

    def of_keys(self, rule: Rule, keys: Sequence[bytes], shards: int) -> list[int]:
        """Where sessions live, by their keys."""
        place = self._by_rule.get((rule.name, rule.version))
        if place is None:
            place = self._by_rule[rule.name, rule.version] = placer(rule.document)
        return partitions_for(list(map(place, keys)), shards)
