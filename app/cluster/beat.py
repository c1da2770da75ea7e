"""What a worker tells about itself, on `<app>-workers` under its id."""

from typing import Any, Literal

import msgspec

from app.shapes import Worker

State = Literal["ready", "starting", "recovering"]


class Beat(msgspec.Struct, frozen=True):
    """One word of one worker. `url` is that of its web port, `shards` those it owns.

    `assigned`: [physical topic, partition] of all it consumes. `revision`: the documents up to it
    are in force there. `real_ms` is what the machine's clock shows. `member`: who it is in the
    consumer group across restarts, if anybody.
    """

    id: str
    url: str
    roles: tuple[str, ...]
    shards: tuple[int, ...]
    assigned: tuple[tuple[str, int], ...]
    revision: int
    state: State
    detail: str
    real_ms: int
    member: str = ""

    def news(self) -> tuple[Any, ...]:
        """What others want to hear of at once when it changes."""
        return self.url, self.shards, self.assigned, self.revision, self.state, self.detail

    def shown(self, silent_s: float, *, gone: bool) -> Worker:
        """The worker as the console shows it."""
        return Worker(
            self.id,
            self.url,
            self.roles,
            self.shards,
            "gone" if gone else self.state,
            silent_s,
            self.detail,
        )


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Beat).decode
