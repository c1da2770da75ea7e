"""What is wrong with brokers, topics, rights and the workers' clocks. One broker for everybody, and
one that asks who one is."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka.admin import AIOKafkaAdminClient

from app.cluster.beat import Beat, encode
from app.doctor import broker
from app.topic_specs import spec_of
from config.clock import SystemClock, system_ms
from config.settings import Settings
from config.topics import Topics
from connectors.streams import open_log
from connectors.streams.base import Log
from connectors.streams.kafka.connection import client_options
from connectors.streams.kafka.rights import lacking
from scripts.house.packages import NotInstalled
from scripts.house.processes import NotUp
from tests.app.cli.running import Ran
from tests.app.doctor.kit import doctor, fault, found, wrong
from tests.secured import USER, Secured, secured
from tests.servers import absent

AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
FAR_MS = 600_000


@dataclass
class Installation:
    """Topics on the broker for tests, under names of their own."""

    settings: Settings
    environ: dict[str, str]

    def topic(self, name: str) -> str:
        return f"{self.settings.app_id}-{name}"

    async def make(self, **changes: Any) -> None:
        """All topics; those named are made otherwise."""
        async with asyncio.timeout(60):
            log = open_log(self.settings, SystemClock())
            await log.start()
            try:
                await asyncio.gather(*(self._make(log, topic, changes) for topic in
                                       Topics(self.settings).all()))  # fmt: skip
                routes = Topics(self.settings).routes("usage", self.settings.partitions)
                await log.ensure_topic(spec_of(routes))
                await self.beat(log)
            finally:
                await log.stop()

    async def _make(self, log: Log, topic: Any, changes: dict[str, Any]) -> None:
        short = topic.name.removeprefix(self.settings.topic_prefix)
        short = short.removeprefix(f"{self.settings.app_id}-")
        await log.ensure_topic(replace(spec_of(topic), **changes.get(short.replace("-", "_"), {})))

    async def beat(self, log: Log) -> None:
        """Workers in good order."""
        await say(log, self.topic("workers"), beat("w-1"), beat("w-2", "http://h:2", "b"))


async def say(log: Log, topic: str, *beats: Beat) -> None:
    await log.append(topic, 0, [(one.id.encode(), encode(one), None, ()) for one in beats])


def beat(
    id: str, url: str = "http://h:1", member: str = "a", late_ms: int = 0, roles: str = "route"
) -> Beat:
    real_ms = system_ms() - late_ms
    return Beat(id, url, (roles,), (), (), 0, "ready", "", real_ms, member)


@pytest.fixture
def installation(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> Installation:
    app = unique("doc")
    settings = Settings(stream=kafka, app_id=app, topic_prefix=f"{app}.", data_dir=tmp_path)
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
    }
    return Installation(settings, environ)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker with TLS, users, and rights that nobody has been given."""
    made = secured(tmp_path_factory.mktemp("guarded"), AUTHORIZER)
    try:
        made.broker.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no kafka: {error}")
    yield made
    made.broker.stop(hard=True)


def named(said: dict[str, str]) -> dict[str, str]:
    """Settings as variables."""
    return {f"SLUICE_{name.upper()}": value for name, value in said.items()}


@fault("broker that doesn't answer")
def test_no_broker(tmp_path: Path, free_port: int) -> None:
    ran = doctor(tmp_path, {"SLUICE_STREAM": f"kafka://127.0.0.1:{free_port}"})
    assert "SLUICE_STREAM" in found(ran, "stream", f":{free_port}")["todo"]


@pytest.mark.kafka
def test_an_installation_without_faults_is_well(installation: Installation, tmp_path: Path) -> None:
    fresh = doctor(tmp_path, installation.environ)
    assert (fresh.code, wrong(fresh)) == (0, set())
    found(fresh, "topics", "not made yet", state="warning")
    asyncio.run(installation.make())
    ran = doctor(tmp_path, installation.environ)
    assert (ran.code, {check["state"] for check in ran.json["checks"]} - {"ok"}) == (0, {"warning"})
    assert [c["name"] for c in ran.json["checks"] if c["state"] == "warning"] == ["server"]


@pytest.fixture
def spoiled(installation: Installation, tmp_path: Path) -> tuple[Installation, Ran]:
    """An installation with everything wrong that topics and beats can have, and what is said."""

    async def spoil() -> None:
        await installation.make(
            insight_in={"partitions": 3},
            campaigns_changelog={"compact": False, "retention_ms": 86_400_000},
            deliveries_in={"retention_ms": 3_600_000},
        )
        admin = AIOKafkaAdminClient(**client_options(installation.settings, "spoil"))
        await admin.start()
        await admin.delete_topics([installation.topic("rollups-changelog")])
        await admin.close()
        log = open_log(installation.settings, SystemClock())
        await log.start()
        topic = installation.topic("workers")
        await say(log, topic, beat("w-1"), beat("w-3", "http://h:1", "a"))
        await say(log, topic, beat("w-4", "http://h:4", "d", late_ms=FAR_MS))
        await log.stop()

    asyncio.run(spoil())
    return installation, doctor(tmp_path, installation.environ)


@pytest.mark.kafka
@fault("topic missing")
@fault("wrong number of partitions")
@fault("state topic that is not compacted")
@fault("retention too short for duplicates and replays")
@fault("worker's clock far from the broker's")
@fault("two workers with one identity")
def test_topics_and_beats(spoiled: tuple[Installation, Ran]) -> None:
    installation, ran = spoiled
    topic = installation.topic
    check = found(ran, "topics", f"missing: {topic('rollups-changelog')}")
    assert "sluice topics create" in check["todo"]
    check = found(ran, "topics", f"{topic('insight-in')}: partitions is 3, expected 4")
    assert "SLUICE_PARTITIONS" in check["todo"]
    check = found(ran, "topics", f"{topic('campaigns-changelog')}: cleanup.policy is delete")
    assert "kafka-configs.sh" in check["todo"]
    found(ran, "topics", f"{topic('deliveries-in')}: retention.ms is 3600000")
    assert "NTP" in found(ran, "time", "worker w-4 is 600 s behind the broker's")["todo"]
    assert "SLUICE_INSTANCE" in found(ran, "identity", "w-1 and w-3 are both member a")["todo"]
    found(ran, "identity", "w-1 and w-3 both say that they answer at http://h:1")
    assert wrong(ran) == {"topics", "time", "identity"}


@pytest.mark.kafka
@fault("wrong password at the broker")
def test_a_wrong_password(guarded: Secured, tmp_path: Path) -> None:
    said = guarded.settings("SCRAM-SHA-512", password="another-word")
    ran = doctor(tmp_path, named(said))
    assert "SLUICE_KAFKA_SASL_MECHANISM" in found(ran, "stream")["todo"]
    assert "another-word" not in ran.out + ran.err


@pytest.mark.kafka
@fault("broker's certificate of an authority that isn't trusted")
def test_an_unknown_authority(guarded: Secured, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    ran = doctor(tmp_path, named(guarded.settings() | {"kafka_ca_file": str(other)}))
    assert "SLUICE_KAFKA_CA_FILE" in found(ran, "stream", "certificate")["todo"]


@pytest.mark.kafka
@fault("rights missing at the broker")
def test_no_rights(guarded: Secured, tmp_path: Path) -> None:
    ran = doctor(tmp_path, named(guarded.settings("SCRAM-SHA-512")))
    check = found(ran, "rights", f"{USER} may not Read, Write, Describe, DescribeConfigs on topic")
    assert "kafka-acls.sh" in check["todo"]
    found(ran, "rights", "on group sluice")
    assert "topics" not in wrong(ran)  # what can't be seen isn't called missing


@pytest.mark.kafka
def test_who_may_everything_lacks_nothing(guarded: Secured, tmp_path: Path) -> None:
    settings = Settings(stream=guarded.broker.url, data_dir=tmp_path)
    options = client_options(settings, "t")
    asyncio.run(Installation(settings, {}).make())
    topics = [topic.name for topic in Topics(settings).all()]
    absent = [*topics, "there-is-none"]
    assert asyncio.run(lacking(settings.stream, options, absent, "sluice")) == []


def test_workers_that_ended_or_restarted_are_nobodys_twins() -> None:
    now = system_ms()
    good_bye = (2, now, b"w-1", None, ())
    first, again = beat("w-1"), beat("w-9")
    beats = [(1, now, b"w-1", encode(first), ()), good_bye, (3, now, b"w-9", encode(again), ())]
    assert list(broker.workers(beats, trial=False)) == []
    old = [(1, now - 4_000, b"w-1", encode(replace_real(first, now - 4_000)), ()), beats[2]]
    assert list(broker.workers(old, trial=False)) == []
    assert len(list(broker.workers([beats[0], beats[2]], trial=False))) == 2


def replace_real(beat: Beat, real_ms: int) -> Beat:
    from msgspec.structs import replace

    return replace(beat, real_ms=real_ms)
