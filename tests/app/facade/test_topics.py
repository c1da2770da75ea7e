"""The topics of the installation, as people know them."""

import asyncio
from pathlib import Path

from tests.app.facade.house import NAMES, House, aggregator


def test_topics_are_listed_with_what_they_are_for_and_how_many_records(tmp_path: Path) -> None:
    async def work() -> None:
        house = House(tmp_path)
        house.log.counts |= {"somebodys": 1, "__consumer_offsets": 50}
        async with house.open() as living:
            await living.put(aggregator())
            await living.send({"account": "x"}, {"account": "y"}, {"account": "z"})
            found = {topic.name: topic for topic in await living.facade.topics()}
            assert found["usage"].records == 3
            assert (found["usage"].purpose, found["usage"].internal) == ("usage records", False)
            assert (found["somebodys"].purpose, found["somebodys"].records) == ("", 0)
            assert found[NAMES.changelog("routes-usage")].purpose == "routing decisions on usage"
            assert found[NAMES.changelog("sessions")].internal
            assert found["config"].records is None
            assert "__consumer_offsets" not in found
            names = [(topic.internal, topic.name) for topic in await living.facade.topics()]
            assert names == sorted(names)

    asyncio.run(work())
