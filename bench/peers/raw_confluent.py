"""A limit: librdkafka's consume; values aren't looked at.

With its defaults the fetcher sleeps a second whenever 100,000 records are queued: a fast consumer
would mostly wait, so the queue is larger and the sleep shorter here.
"""

from common import BROKER, COMMIT_S, GROUP, TOPIC
from confluent_kafka import Consumer

consumer = Consumer(
    {
        "bootstrap.servers": BROKER,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": int(COMMIT_S * 1000),
        "queued.min.messages": 1_000_000,
        "fetch.queue.backoff.ms": 10,
    }
)
consumer.subscribe([TOPIC])
while True:
    consumer.consume(10_000, 0.1)
