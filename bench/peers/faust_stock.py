"""Faust as it comes: an agent, a RocksDB table, a record at a time."""

import sys

from common import BROKER, COMMIT_S, GROUP, STATE, TOPIC

# Faust picks its event loop from the command line, at import.
sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
import faust  # noqa: E402

app = faust.App(
    GROUP,
    broker=f"kafka://{BROKER}",
    store="rocksdb://",
    datadir=STATE,
    topic_partitions=4,
    topic_replication_factor=1,
    topic_disable_leader=True,
    table_standby_replicas=0,
    broker_commit_interval=COMMIT_S,
    web_enabled=False,
)
usage = app.topic(TOPIC, key_serializer="raw", value_serializer="json")
table = app.Table("agg", partitions=4, key_type=bytes)


@app.agent(usage)
async def aggregate(stream):
    """Adds each record to its account."""
    async for key, event in stream.items():
        state = table.get(key) or {"bytes": 0, "max": 0, "count": 0, "price": 0.0}
        state["bytes"] += event["bytes"]
        state["max"] = max(state["max"], event["bytes"])
        state["count"] += 1
        state["price"] += event["price"]
        table[key] = state


if __name__ == "__main__":
    app.main()
