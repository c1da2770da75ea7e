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

    A replay sends it again: `replayed_at` when it was applied, else `tried_at` when it was refused
    once more, for the reason it then has; `command` asked for that replay.
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
    replayed_at: int | None = None
    tried_at: int | None = None
    command: str = ""

    @property
    def id(self) -> str:
        """The same whenever the same record is refused again by the same aggregator."""
        position = f"{self.topic}\0{self.partition}\0{self.offset}\0{self.aggregator or ''}"
        return sha256(position.encode()).hexdigest()[:32]

    def encode(self) -> bytes:
        """The value on topic `dead-letters`."""
        told = {
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
        for name, at in (("replayed_at", self.replayed_at), ("tried_at", self.tried_at)):
            if at is not None:
                told[name] = print_instant(at)
        if self.command:
            told["command"] = self.command
        return to_json(told)

    def output(self) -> tuple[str, bytes, bytes]:
        """(topic, key, value) to send."""
        return TOPIC, self.topic.encode(), self.encode()


def erased(letter_id: str, topic: str, at_ms: int) -> tuple[str, bytes, bytes]:
    """What is sent (topic, key, value) in the place of a letter that was erased: from then on there
    is none of that id, also when it comes again."""
    told = {"id": letter_id, "erased_at": print_instant(at_ms)}
    return TOPIC, topic.encode(), to_json(told)
