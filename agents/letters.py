"""Dead letters: what can't be applied, with everything needed to see why and to apply it later."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from domain.aggregation.flush import to_json
from domain.aggregation.instants import print_instant

TOPIC = "dead-letters"


@dataclass(frozen=True)
class Letter:
    """One record that one aggregator (None: every one) can't apply. `topic` is public; `at` epoch
    milliseconds.
    """

    topic: str
    partition: int
    offset: int
    aggregator: str | None
    reason: str
    detail: str
    original: bytes | None
    version: int | None
    at: int

    @property
    def id(self) -> str:
        """The same whenever the same record is refused again by the same aggregator."""
        position = f"{self.topic}\0{self.partition}\0{self.offset}\0{self.aggregator or ''}"
        return sha256(position.encode()).hexdigest()[:32]

    def encode(self) -> bytes:
        """The value on topic `dead-letters`."""
        return to_json(
            {
                "id": self.id,
                "topic": self.topic,
                "partition": self.partition,
                "offset": self.offset,
                "aggregator": self.aggregator,
                "reason": self.reason,
                "detail": self.detail,
                "original": b64encode(self.original or b"").decode(),
                "version": self.version,
                "at": print_instant(self.at),
            }
        )

    def output(self) -> tuple[str, bytes, bytes]:
        """(topic, key, value) to send."""
        return TOPIC, self.topic.encode(), self.encode()
