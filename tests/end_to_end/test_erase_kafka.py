"""An erasure on Kafka whose process is killed in the middle of it: another worker completes it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.names import Names
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Log
from tests.end_to_end.running import Sluice
from tests.end_to_end.test_erase import SECRET, begun, erase, gone
from tests.waiting import until

pytestmark = pytest.mark.kafka
OVER_S = 45.0  # another takes over within 15, on a machine that is busy
TAKEN_S = 60.0


@pytest.fixture
def app(unique: Callable[[str], str]) -> str:
    return unique("app")


@pytest.fixture
def two(kafka: str, app: str, tmp_path: Path) -> Iterator[list[Sluice]]:
    """Two workers of one group."""
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_SESSION_TIMEOUT_S": "6",
        "SLUICE_PARTITIONS": "2",
    }
    made = [Sluice(tmp_path / name, ("worker", "--role", "all"), environ) for name in "ab"]
    try:
        made[0].begin()  # both come up together: the topics are there once
        made[1].start()
        until(made[0]._says_where, TAKEN_S)
        until(lambda: made[0].get("/health/ready").status == 200, TAKEN_S)
        yield made
    finally:
        for one in made:
            one.close()


def look(kafka: str, work: Callable[[Log], object]) -> object:
    async def run() -> object:
        log = open_log(Settings(stream=kafka), SystemClock())
        await log.start()
        try:
            return await work(log)  # type: ignore[misc]  # a coroutine function
        finally:
            await log.stop()

    return asyncio.run(run())


def noted(kafka: str, app: str) -> bool:
    """Whether an erasure was begun: from then on it goes on by itself."""
    topic = Names(app).requests

    async def of(log: Log) -> bool:
        tps = [(topic, number) for number in range((await log.topics()).get(topic, 0))]
        for tp in tps:
            for _, _, key, value, _ in (await log.read(*tp, 0)).items:
                if key is not None and b"erasing" in key and value is not None:
                    return True
        return False

    return bool(look(kafka, of))


def left(kafka: str, app: str) -> list[str]:
    """Where something of the account is that neither compaction will take away nor the retention of
    topics whose records belong to others, or are on their way.
    """
    names = Names(app, f"{app}.")
    spared = {names.topic("usage"), names.topic("aggregates"), names.sessions_in}

    async def of(log: Log) -> list[str]:
        found = []
        for topic, count in (await log.topics()).items():
            if not topic.startswith(app) or topic in spared:
                continue
            compact = (await log.describe_topic(topic)).config["cleanup.policy"] == "compact"
            for number in range(count):
                begin = (await log.begin_offsets([(topic, number)]))[topic, number]
                held: dict[object, bytes | None] = {}
                while True:
                    part = await log.read(topic, number, begin, max_bytes=4 << 20)
                    for offset, _, key, value, _ in part.items:
                        at = key if compact else offset
                        held[at] = None if value is None else (key or b"") + value
                    if part.next_offset <= begin:
                        break
                    begin = part.next_offset
                if any(SECRET.encode() in value for value in held.values() if value is not None):
                    found.append(f"{topic} {number}")
        return found

    found = look(kafka, of)
    assert isinstance(found, list)
    return found


def asked(one: Sluice) -> None:
    body = json.dumps({"group": {"account": SECRET}, "reason": "asked"}).encode()
    with suppress(OSError):  # it is killed
        one.ask("POST", "/api/aggregators/acc/sessions/erase", body, Idempotency_Key="k")


def test_an_erasure_whose_process_is_killed_is_completed_by_another_worker(
    kafka: str, app: str, two: list[Sluice]
) -> None:
    killed, other = two
    begun(killed)
    assert len(left(kafka, app)) > 0, "what is looked for would be found"
    asking = threading.Thread(target=asked, args=(killed,))
    asking.start()
    until(lambda: noted(kafka, app), TAKEN_S)
    killed.kill()
    asking.join()
    until(lambda: erase(other, "--dry-run").code == 1, OVER_S, "nothing is left to erase")
    until(lambda: left(kafka, app) == [], OVER_S, "no topic has anything of it")
    gone(other)
