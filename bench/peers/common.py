"""What the Python peers share: the settings of a run, and the event's type."""

import os

import msgspec

BROKER = os.environ["BENCH_BROKER"]
TOPIC = os.environ["BENCH_TOPIC"]
GROUP = os.environ["BENCH_GROUP"]
STATE = os.environ["BENCH_STATE"]
COMMIT_S = 1.0


class Event(msgspec.Struct, gc=False):
    """A usage record, typed."""

    account: str
    bytes: int
    price: float


decode = msgspec.json.Decoder(Event).decode
