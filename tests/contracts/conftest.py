"""Every contract is tested on the embedded stream and on Kafka."""

from pathlib import Path

import pytest

from tests.contracts.streams import Stream, embedded_stream, kafka_stream


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Stream:
    """The stream under test."""
    if request.param == "kafka":
        return kafka_stream(request.getfixturevalue("kafka"), tmp_path)
    return embedded_stream(tmp_path)


@pytest.fixture
def quick(stream: Stream) -> Stream:
    """The stream with workers that commit soon, and are missed a second after they died."""
    return stream.with_settings(commit_interval_s=0.1, session_timeout_s=1.0)
