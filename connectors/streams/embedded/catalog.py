"""The topics and partitions of the embedded log, kept in memory while it is open."""

import sqlite3
from dataclasses import astuple, dataclass, replace

from connectors.streams.base import TP, TopicDescription, TopicSpec, UnknownTopic
from connectors.streams.embedded.database import Database


@dataclass(slots=True)
class Partition:
    """Where one partition stands. Changed by the database's thread only, after each commit.

    `begin` is the first offset kept, `end` the next one to give out, `last_ms` the latest
    timestamp given out, `clean` the first offset that compaction has not seen.
    """

    id: int
    topic: TopicSpec
    number: int
    begin: int
    end: int
    last_ms: int
    clean: int

    @property
    def tp(self) -> TP:
        """(topic, partition)"""
        return self.topic.name, self.number


class Catalog:
    """Topics by name, each with its partitions in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._topics: dict[str, list[Partition]] = {}
        with database.errors():
            self._load(database.connection)

    def _load(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT name, partitions, compact, retention_ms, max_message_bytes, log_append_time"
            " FROM topics"
        )
        for name, count, compact, retention_ms, max_bytes, append_time in rows:
            spec = TopicSpec(name, count, bool(compact), retention_ms, max_bytes, bool(append_time))
            self._topics[name] = _partitions(connection, spec)

    def create(self, spec: TopicSpec) -> bool:
        """Stores a new topic; False when there is one of that name. In the database's thread."""
        if spec.name in self._topics:
            return False
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?)", astuple(spec))
            connection.executemany(
                "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                [(spec.name, number) for number in range(spec.partitions)],
            )
        with self._database.errors():
            self._topics[spec.name] = _partitions(self._database.connection, spec)
        return True

    def widen(self, topic: str, partitions: int) -> bool:
        """Gives a topic more partitions; False when it has as many. In the database's thread."""
        spec = self.partition(topic, 0).topic
        if partitions <= spec.partitions:
            return False
        wider = replace(spec, partitions=partitions)
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE topics SET partitions = ? WHERE name = ?", (partitions, topic)
            )
            connection.executemany(
                "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                [(topic, number) for number in range(spec.partitions, partitions)],
            )
        with self._database.errors():
            made = _partitions(self._database.connection, wider)
        known = self._topics[topic]  # others hold these
        for place in known:
            place.topic = wider
        known += made[len(known) :]
        return True

    def topics(self) -> dict[str, int]:
        """All topics with their number of partitions."""
        return {name: len(partitions) for name, partitions in self._topics.items()}

    def all(self) -> list[Partition]:
        """All partitions of all topics."""
        return [partition for partitions in self._topics.values() for partition in partitions]

    def partition(self, topic: str, number: int) -> Partition:
        """The partition, or UnknownTopic."""
        partitions = self._topics.get(topic)
        if partitions is None:
            raise UnknownTopic(topic)
        if not 0 <= number < len(partitions):
            raise UnknownTopic(topic, number)
        return partitions[number]

    def describe(self, topic: str) -> TopicDescription:
        """The topic and its configuration under Kafka's names, or UnknownTopic."""
        spec = self.partition(topic, 0).topic
        keeps = spec.retention_ms is None
        policies = (["compact"] if spec.compact else []) + (
            [] if spec.compact and keeps else ["delete"]
        )
        return TopicDescription(
            topic,
            spec.partitions,
            {
                "cleanup.policy": ",".join(policies),
                "retention.ms": "-1" if keeps else str(spec.retention_ms),
                "max.message.bytes": str(spec.max_message_bytes),
                "message.timestamp.type": "LogAppendTime" if spec.log_append_time else "CreateTime",
            },
        )


def _partitions(connection: sqlite3.Connection, spec: TopicSpec) -> list[Partition]:
    rows = connection.execute(
        "SELECT id, number, begin_offset, end_offset, last_ms, clean_offset"
        " FROM partitions WHERE topic = ? ORDER BY number",
        (spec.name,),
    )
    return [
        Partition(part, spec, number, begin, end, last_ms, clean)
        for part, number, begin, end, last_ms, clean in rows
    ]
