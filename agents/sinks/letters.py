"""What a target refused for good, with everything needed to see why and to send it by hand."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from config.topics import SINK_LETTERS
from domain.aggregation.flush import to_json
from domain.aggregation.instants import print_instant


@dataclass(frozen=True)
class SinkLetter:
    """One record that a sink does not deliver. `topic` is public; `at` epoch milliseconds; `status`
    that of HTTP or MySQL's error number."""

    sink: str
    topic: str
    partition: int
    offset: int
    record: str
    reason: str
    detail: str
    status: int | None
    original: bytes | None
    at: int

    @property
    def id(self) -> str:
        """The same whenever the same record is refused again."""
        position = f"{self.sink}\0{self.topic}\0{self.partition}\0{self.offset}"
        return sha256(position.encode()).hexdigest()[:32]

    def output(self) -> tuple[str, bytes, bytes]:
        """(topic, key, value) to send."""
        value = {
            "id": self.id,
            "sink": self.sink,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "record": self.record,
            "reason": self.reason,
            "detail": self.detail,
            "status": self.status,
            "original": b64encode(self.original or b"").decode(),
            "at": print_instant(self.at),
        }
        return SINK_LETTERS, self.sink.encode(), to_json(value)
