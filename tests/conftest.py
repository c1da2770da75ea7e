"""Fixtures for all tests, and what is left out unless asked for."""

import os

import pytest

from tests.servers import (
    chromium_path,
    free_port,
    kafka,
    mongo_url,
    mysql_url,
    own_kafka,
    own_mongo,
    own_mysql,
    own_s3,
    s3_url,
    unique,
)

__all__ = [
    "chromium_path",
    "free_port",
    "kafka",
    "mongo_url",
    "mysql_url",
    "own_kafka",
    "own_mongo",
    "own_mysql",
    "own_s3",
    "s3_url",
    "unique",
]

for _name in [name for name in os.environ if name.startswith("SLUICE_")]:
    # A person's own settings are none of the tests' business.
    if not _name.startswith("SLUICE_TEST_"):
        del os.environ[_name]


# Few tests in a file, and each of them long: begun last, they would keep one process busy alone.
_FIRST = ("tests/faults/", "tests/end_to_end/", "tests/browser/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files of long tests come first; long fault campaigns only if SLUICE_TEST_FAULTS is set."""
    items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))
    if os.environ.get("SLUICE_TEST_FAULTS"):
        return
    long = [item for item in items if item.get_closest_marker("faults")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
