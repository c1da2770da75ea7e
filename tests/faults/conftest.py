"""A cluster of real workers on either stream."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def cluster(
    request: pytest.FixtureRequest, tmp_path: Path, unique: Callable[[str], str]
) -> Cluster:
    """A cluster without workers yet, on each stream; the dead are soon given up."""
    stream = "embedded://"
    if request.param == "kafka":
        stream = request.getfixturevalue("kafka")
    return Cluster(stream, tmp_path, unique("app"), settings={"session_timeout_s": "1.5"})
