"""What tests run against: servers, a browser, ports and names nobody else uses."""

import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.house import servers
from scripts.house.checks import BROWSERS
from scripts.house.kafka import Kafka
from scripts.house.mongo import Mongo
from scripts.house.mysql import MySql
from scripts.house.packages import NotInstalled
from scripts.house.processes import NotUp, free_ports
from scripts.house.s3 import S3


def absent(what: str) -> None:
    """Skips a test for what is not to be had here; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def _running(name: str) -> str:
    address = servers.address(name)
    if not address:
        absent(f"no {name}: run `scripts/servers start {name}` or set {servers.variable(name)}")
    return address


@pytest.fixture(scope="session")
def kafka() -> str:
    """kafka://HOST:PORT of the broker for tests; others use it too: take `unique` names."""
    return _running("kafka")


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker for this test alone, running; it may be stopped, killed and started again."""
    broker = Kafka(tmp_path / "kafka")
    try:
        broker.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no kafka: {error}")
    yield broker
    broker.stop(hard=True)


@pytest.fixture(scope="session")
def mongo_url() -> str:
    """mongodb://HOST:PORT/DB of the server for tests; others use it too: take `unique` names."""
    return _running("mongo")


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[Mongo]:
    """A server for this test alone, running; it may be stopped, killed and started again."""
    server = Mongo(tmp_path / "mongo")
    try:
        server.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no mongo: {error}")
    yield server
    server.stop(hard=True)


@pytest.fixture(scope="session")
def mysql_url() -> str:
    """mysql://USER@HOST:PORT/DB of the server for tests; others use it too: take `unique` names."""
    return _running("mysql")


@pytest.fixture
def own_mysql(tmp_path: Path) -> Iterator[MySql]:
    """A server for this test alone, running; it may be stopped, killed and started again."""
    server = MySql(tmp_path / "mysql")
    try:
        server.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no mysql: {error}")
    yield server
    server.stop(hard=True)


@pytest.fixture(scope="session")
def s3_url() -> str:
    """http://KEY:SECRET@HOST:PORT/BUCKET of the server for tests; others use it too: take `unique`
    prefixes in the bucket."""
    return _running("s3")


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[S3]:
    """A server for this test alone, running; it may be stopped, killed and started again."""
    server = S3(tmp_path / "s3")
    try:
        server.start()
    except (NotUp, NotInstalled) as error:
        absent(f"no s3: {error}")
    yield server
    server.stop(hard=True)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser of this machine, for Playwright's `executable_path`."""
    found = next(filter(None, map(shutil.which, BROWSERS)), "")
    if not found:
        absent(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    return found


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    return free_ports(1)[0]


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes names for topics, groups and folders that no other test or run has."""
    run, numbers = uuid.uuid4().hex[:8], itertools.count()

    def name(stem: str) -> str:
        return f"{stem}-{run}-{next(numbers)}"

    return name
