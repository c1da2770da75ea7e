"""A broker that asks who one is, over TLS: the whole way, and what is told when it says no."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import StreamUnavailable, TopicSpec
from scripts.house.packages import NotInstalled
from scripts.house.processes import NotUp
from tests.faults.cluster import Cluster, running
from tests.secured import PASSWORD, Secured, secured
from tests.servers import absent

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = secured(tmp_path_factory.mktemp("secured"))
    try:
        made.broker.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no kafka: {error}")
    yield made
    made.broker.stop(hard=True)


def test_workers_count_exactly_over_tls(
    guarded: Secured, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    said = guarded.settings("SCRAM-SHA-512")
    cluster = Cluster(said.pop("stream"), tmp_path, unique("app"), settings=said)
    with running(cluster, 1):
        cluster.ready()
        cluster.feed(3)
        assert cluster.check() > 100
    for log in tmp_path.glob("*/log"):
        assert PASSWORD not in log.read_text()


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "SCRAM-SHA-256"])
def test_log_is_let_in(
    guarded: Secured, mechanism: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    settings = Settings(data_dir=tmp_path, **_typed(guarded.settings(mechanism)))

    async def story() -> None:
        log = open_log(settings, SystemClock())
        await log.start()
        try:
            topic = unique("t")
            await log.ensure_topic(TopicSpec(topic, 1))
            await log.append(topic, 0, [(None, b"v", None, ())])
            assert [item[3] for item in (await log.read(topic, 0, 0)).items] == [b"v"]
        finally:
            await log.stop()

    asyncio.run(story())


def _typed(said: dict[str, str]) -> dict[str, Any]:
    return said | {"kafka_ca_file": Path(said["kafka_ca_file"])}


def _refusal(said: dict[str, str], tmp_path: Path) -> str:
    settings = Settings(data_dir=tmp_path, **_typed(said))

    async def story() -> None:
        log = open_log(settings, SystemClock())
        try:
            await log.start()
        finally:
            await log.stop()

    with pytest.raises(StreamUnavailable) as raised:
        asyncio.run(story())
    assert raised.value.exit_code == 3
    return str(raised.value)


def test_wrong_password_is_told_and_not_shown(guarded: Secured, tmp_path: Path) -> None:
    said = guarded.settings("SCRAM-SHA-512", password="another-word")
    text = _refusal(said, tmp_path)
    assert "SLUICE_KAFKA_SASL_MECHANISM" in text
    assert "another-word" not in text


def test_broker_signed_by_somebody_else_is_told(guarded: Secured, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    text = _refusal(guarded.settings() | {"kafka_ca_file": str(other)}, tmp_path)
    assert "certificate" in text.lower()
