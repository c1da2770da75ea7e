"""The topics of the installation."""

from dataclasses import replace

from app.facade.parts import Parts
from app.shapes import TopicInfo
from config.topics import Topic
from connectors.streams.base import TP


class TopicsArea:
    """See `Backend.topics`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def listed(self, config: bool) -> list[TopicInfo]:
        """Public topics, then the product's own, by name."""
        names = self._parts.names
        counts = await self._parts.log.topics()
        mine = {
            name: count
            for name, count in counts.items()
            if names.is_internal(name)
            or (name.startswith(names.prefix) and not name.startswith("__"))
        }
        tps = [(name, partition) for name, count in mine.items() for partition in range(count)]
        begins = await self._parts.log.begin_offsets(tps)
        ends = await self._parts.log.end_offsets(tps)
        known = self._known()
        found = [self._shown(name, mine[name], known.get(name), begins, ends) for name in mine]
        if config:
            found = [
                await self._described(physical, info)
                for physical, info in zip(mine, found, strict=True)
            ]
        return sorted(found, key=lambda info: (info.internal, info.name))

    async def _described(self, physical: str, info: TopicInfo) -> TopicInfo:
        found = await self._parts.log.describe_topic(physical)
        return replace(info, config=found.config)

    def written(self) -> set[str]:
        """See `Backend.output_topics`."""
        return self._parts.documents.outputs()

    def _known(self) -> dict[str, Topic]:
        """What each topic that is named somewhere is for, by its physical name."""
        topics = self._parts.topics
        found = {topic.name: topic for topic in topics.all()}
        for rule in self._parts.documents.rules.values():
            taken = topics.usage_topic(rule.document.input)
            sent = topics.output_topic(rule.document.output.topic)
            found.setdefault(taken.name, taken)
            found.setdefault(sent.name, sent)
        return found

    def _shown(
        self,
        name: str,
        partitions: int,
        known: Topic | None,
        begins: dict[TP, int],
        ends: dict[TP, int],
    ) -> TopicInfo:
        internal = self._parts.names.is_internal(name)
        records: int | None = None
        if not (internal if known is None else known.compact):
            tps = [(name, partition) for partition in range(partitions)]
            records = sum(ends[tp] - begins[tp] for tp in tps)
        return TopicInfo(
            name=name if internal else self._parts.names.public(name),
            partitions=partitions,
            purpose=self._purpose(name, internal) if known is None else known.purpose,
            records=records,
            internal=internal,
        )

    def _purpose(self, name: str, internal: bool) -> str:
        start = self._parts.names.changelog("routes-").removesuffix("-changelog")
        if name.startswith(start):
            topic = name.removeprefix(start).removesuffix("-changelog")
            return f"routing decisions on {topic}"
        return "state of the product" if internal else ""
