"""Bytewax: its Kafka source, keyed state, its recovery store; runs to the end of the topic."""

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from common import BROKER, TOPIC, decode


class Aggregate(op.StatefulBatchLogic):
    """[sum, max, count, price] of an account."""

    def __init__(self, state):
        self.state = state or [0, 0, 0, 0.0]

    def on_batch(self, events):
        """Adds them up; emits nothing."""
        state = self.state
        for event in events:
            state[0] += event.bytes
            state[1] = max(state[1], event.bytes)
            state[2] += 1
            state[3] += event.price
        return (), op.StatefulBatchLogic.RETAIN

    def snapshot(self):
        """What the recovery store keeps."""
        return list(self.state)


flow = Dataflow("bench")
source = KafkaSource([BROKER], [TOPIC], tail=False, batch_size=10_000)
events = op.flat_map_batch(
    "parse",
    op.input("in", flow, source),
    lambda batch: [(m.key.decode(), decode(m.value)) for m in batch],
)
op.output("out", op.stateful_batch("agg", events, Aggregate), StdOutSink())
