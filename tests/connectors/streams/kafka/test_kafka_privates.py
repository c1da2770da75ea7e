"""Privates of Faust's Kafka driver and aiokafka that connectors/streams/kafka builds on.

When one of these fails: read what changed in the named source, see whether the reason in the
docstring of that module still holds, and only then put the new digest here.
"""

from importlib.metadata import version

import pytest

from tests.connectors.streams.privates import digest

DRIVER = "faust.transport.drivers.aiokafka"

# name: digest of its source in faust-streaming 0.15.3, mode-streaming 0.7.1 and aiokafka 0.14.0
SOURCES = {
    f"{DRIVER}:ConsumerRebalanceListener": "f3d04f29dfb3",
    f"{DRIVER}:AIOKafkaConsumerThread._create_worker_consumer": "c179c0bdb975",
    f"{DRIVER}:AIOKafkaConsumerThread.on_start": "675d03707bbe",
    f"{DRIVER}:AIOKafkaConsumerThread.subscribe": "8657ab577d86",
    f"{DRIVER}:AIOKafkaConsumerThread.commit": "415fafc63607",
    f"{DRIVER}:AIOKafkaConsumerThread._commit": "78c931ecfa8d",
    f"{DRIVER}:AIOKafkaConsumerThread.seek_to_committed": "43907fc11636",
    f"{DRIVER}:AIOKafkaConsumerThread._ensure_consumer": "a2c77687801c",
    "mode.threads:ServiceThread.__init__": "585a19094aad",
    "mode.threads:ServiceThread._start_thread": "22434db1314b",
    "mode.threads:QueueServiceThread.call_thread": "d1304f73ca65",
    "aiokafka.consumer.fetcher:FetchResult": "d7db13f06de8",
    "aiokafka.consumer.fetcher:PartitionRecords": "94aa0da0dbec",
    "aiokafka.consumer.fetcher:Fetcher.__init__": "15b78b16e0ee",
    "aiokafka.consumer.fetcher:Fetcher._create_fetch_waiter": "65046fcd40e7",
    "aiokafka.consumer.fetcher:Fetcher._notify": "b0c2aa8e3cc1",
    "aiokafka.consumer.fetcher:Fetcher._proc_fetch_request": "ace04969424f",
    "aiokafka.consumer.fetcher:Fetcher.fetched_records": "e20ce0c8117f",
    "aiokafka.consumer.fetcher:Fetcher.request_offset_reset": "69da462b4aab",
    "aiokafka.consumer.subscription_state:SubscriptionState": "387f8a497901",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.start": "5ba1baa38f62",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.commit": "f85283bf7c7c",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.subscribe": "e77ee05446fb",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._heartbeat_routine": "a6c6710b8e4a",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._do_heartbeat": "5628cb32b3d2",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._do_rejoin_group": "dfe054b3b698",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.fetch_committed_offsets": "c83e0cafbf1e",
    "aiokafka.producer.message_accumulator:BatchBuilder": "8050802ca751",
    "aiokafka.producer.message_accumulator:MessageAccumulator.fail_all": "408861a4748d",
    "aiokafka.producer.producer:AIOKafkaProducer.send_batch": "ff8d65b59517",
    "aiokafka.producer.producer:AIOKafkaProducer.stop": "8ee7f0d1b6a5",
    "aiokafka.client:AIOKafkaClient.send": "fb1726e3ed8e",
    "aiokafka.client:AIOKafkaClient._get_conn": "1eaeaab22404",
    "aiokafka.client:AIOKafkaClient.force_metadata_update": "4b2453f58f83",
}


@pytest.mark.parametrize("name", SOURCES)
def test_private_is_as_it_was_read(name: str) -> None:
    assert digest(name) == SOURCES[name]


def test_clients_are_the_versions_that_were_read() -> None:
    versions = [version(name) for name in ("faust-streaming", "mode-streaming", "aiokafka")]
    assert versions == ["0.15.3", "0.7.1", "0.14.0"]
