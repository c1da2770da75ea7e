"""What runs, where, and how each worker is: shapes of the Processes page.

Instants of workers and their minutes are those of the machines' clocks (`real_ms`); those of what
runs are the product clock's. `cpu` is in cores: 1.0 keeps one busy.
"""

from typing import Literal

import msgspec

Kind = Literal[
    "upload",  # a file of people is read and its rows go onto the stream
    "day creation",  # the FDDs of a day are made
    "slot run",  # a slot is open, its FDDs are executed
    "retrigger",  # a day's leftovers are queued again
    "change",  # another change of a campaign goes through its FDDs
    "source fetch",  # pages of a source go into the archive
    "impression step",  # a table of impressions is written
    "export",  # a report is read by somebody
    "table recovery",  # a shard's state is read from its changelog
    "preview",  # a what-if reads history
]
CANCELLED_AT_NO_LOSS: frozenset[str] = frozenset({"source fetch", "export", "preview"})
State = Literal["ready", "starting", "recovering", "stopped", "gone"]


class Minute(msgspec.Struct, array_like=True, frozen=True):
    """A whole minute: CPU on average, the most memory and lag there were, state at its end. The
    last one is under way."""

    real_ms: int
    cpu: float
    memory: int
    loop_lag_s: float
    state_bytes: int


class Running(msgspec.Struct, frozen=True):
    """Something that runs. `progress` 0 to 1, `rate` per second in `unit`s; None: not known."""

    id: str
    kind: Kind
    name: str
    owner: str
    started_ms: int | None = None
    progress: float | None = None
    rate: float | None = None
    eta_ms: int | None = None
    unit: str = ""
    detail: str = ""

    @property
    def cancellable(self) -> bool:
        """Whether it can be ended and nothing is lost."""
        return self.kind in CANCELLED_AT_NO_LOSS


class Vitals(msgspec.Struct, frozen=True):
    """How a worker is, on `<app>-processes` under its id."""

    worker: str
    state: State
    cpu: float
    memory: int
    loop_lag_s: float
    state_bytes: int
    history: list[Minute]
    running: list[Running]
    real_ms: int


class Processes(msgspec.Struct, frozen=True):
    """The page: workers, this one first; and what runs, by kind and name."""

    workers: list[Vitals]
    running: list[Running]


def gone(vitals: Vitals, state: State) -> Vitals:
    """The worker as it was last heard of, when it is no longer there."""
    return msgspec.structs.replace(vitals, state=state, running=[])
