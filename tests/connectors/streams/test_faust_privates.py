"""Privates of Faust that connectors/streams/faust_*.py reaches into, or replaces.

When one of these fails: read what changed in the named source, see whether the reason in the
docstring of that module still holds, and only then put the new digest here.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

import faust
import pytest

from tests.connectors.streams.privates import digest

# name: digest of its source in faust-streaming 0.15.3
SOURCES = {
    "faust.transport.conductor:Conductor.add": "ee55963a9c65",
    "faust.transport.conductor:Conductor._subscriber.fun": "dce003bc3ef8",
    "faust.transport.conductor:Conductor._flag_changes": "4f35ed53767d",
    "faust.transport.conductor:Conductor._update_indices": "bf2bb3f46e6b",
    "faust.transport.conductor:Conductor._compile_message_handler": "86322d3c7943",
    "faust.transport.consumer:Consumer._drain_messages": "8f35dd7a1114",
    "faust.transport.consumer:Consumer.getmany": "e486c434b792",
    "faust.transport.consumer:Consumer.ack": "5548cf0f7584",
    "faust.transport.consumer:Consumer.commit": "e43a7d03685f",
    "faust.transport.consumer:Consumer.maybe_wait_for_commit_to_finish": "14281eda99cf",
    "faust.transport.consumer:Consumer.force_commit": "464b62ae9172",
    "faust.transport.consumer:Consumer.wait_empty": "53195dca246c",
    "faust.transport.consumer:Consumer._wait_for_ack": "0d4f76b083a9",
    "faust.transport.consumer:Consumer.on_partitions_revoked": "652177e770ee",
    "faust.transport.consumer:Consumer.perform_seek": "2b4ceebd23de",
    "faust.transport.consumer:Consumer.seek": "7c61d5bd222a",
    "faust.transport.consumer:Consumer._add_gap": "f1cc1db634f5",
    "faust.transport.consumer:Consumer._get_active_partitions": "da41bc1e8d86",
    "faust.app.base:App._on_partitions_revoked": "c1abd58dcb37",
    "faust.app.base:App._on_partitions_assigned": "c9c5485eb273",
    "faust.tables.recovery:Recovery._resume_streams": "fbe0f747b84c",
    "faust.types.tuples:Message.ack": "3c9ee05236d3",
}


@pytest.mark.parametrize("name", SOURCES)
def test_private_is_as_it_was_read(name: str) -> None:
    assert digest(name) == SOURCES[name]


def test_faust_is_the_version_that_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"


def test_stream_iterator_acknowledges_into_acked_and_tracks_what_it_begins() -> None:
    source = (Path(faust.__file__).parent / "_cython" / "streams.pyx").read_bytes()
    assert hashlib.sha256(source).hexdigest()[:12] == "0041622f4a25"
