"""Quix Streams: state by key in RocksDB with a changelog, a record at a time."""

from common import BROKER, COMMIT_S, GROUP, STATE, TOPIC
from quixstreams import Application

app = Application(
    broker_address=BROKER,
    consumer_group=GROUP,
    auto_offset_reset="earliest",
    state_dir=STATE,
    commit_interval=COMMIT_S,
    loglevel="WARNING",
)


def aggregate(event, state):
    """Adds a record to its account."""
    agg = state.get("agg") or {"bytes": 0, "max": 0, "count": 0, "price": 0.0}
    agg["bytes"] += event["bytes"]
    agg["max"] = max(agg["max"], event["bytes"])
    agg["count"] += 1
    agg["price"] += event["price"]
    state.set("agg", agg)


usage = app.topic(TOPIC, key_deserializer="str", value_deserializer="json")
app.dataframe(usage).update(aggregate, stateful=True)

if __name__ == "__main__":
    app.run()
