"""One step at a time per table: a lock with an owner and a lease.

The lock is a file in the table's folder, taken and prolonged by compare and swap. It is left behind
by a step that was killed: who takes it over knows that there may be strays. An owner on this
machine that is no longer alive is seen at once; any other is waited for until its lease runs out.
"""

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgspec

from connectors.files.base import Conflict, Files, FilesError
from domain.clock import Clock
from domain.errors import SluiceError
from domain.impressions.layout import folder

LEASE_S = 60.0
RENEWALS = 4  # in a lease: three may fail
LOOK_S = 0.5

Wait = Callable[[float], object]


class Busy(SluiceError):
    """Another step works on the table."""

    def __init__(self, table: str, held: "Held") -> None:
        self.table = table
        self.held = held
        super().__init__(
            f"{table} is being worked on: {held.step} since {held.since}, by {held.owner}\n"
            "one step at a time per table; try again when it has ended"
        )


class LockLost(SluiceError):
    """The lease ran out and somebody else took the lock. Nothing more may be written."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            f"{table} was taken over by another step while this one was held up; "
            "nothing of this one counts; run it again"
        )


class Held(msgspec.Struct, frozen=True):
    """The content of a lock: `until_ms` in epoch milliseconds, prolonged while the step lives."""

    owner: str
    step: str
    since: str
    until_ms: int


def lock_name(table: str) -> str:
    """The file of a table's lock."""
    return f"{folder(table)}/lock.json"


def held_by(files: Files, table: str) -> Held | None:
    """Who has a table's lock now, None when nobody."""
    found = files.read(lock_name(table))
    return None if found is None else msgspec.json.decode(found[0], type=Held)


class TableLock:
    """The lock of one table, held from `take` to `give_back`. `unclean`: whoever had it before did
    not give it back."""

    def __init__(
        self, files: Files, table: str, step: str, since: str, clock: Clock,
        lease_s: float = LEASE_S,
    ) -> None:  # fmt: skip
        self.unclean = False
        self._files, self._table, self._clock, self._lease_s = files, table, clock, lease_s
        self._held = Held(f"{machine_name()}:{uuid4().hex[:8]}", step, since, 0)
        self._tag: str | None = None
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._left = False
        self._thread = threading.Thread(target=self._prolong, name=f"lease {table}", daemon=True)

    def take(self, wait: Wait = time.sleep) -> None:
        """Takes the lock. Raises Busy; may wait as long as a lease."""
        name, waited_s, seen = lock_name(self._table), 0.0, None
        while True:
            found = self._files.read(name)
            held = None if found is None else msgspec.json.decode(found[0], type=Held)
            if held is not None and not self._given_up(held):
                renewed = seen is not None and held != seen
                if renewed or alive(held.owner) or waited_s > self._lease_s + LOOK_S:
                    raise Busy(self._table, held)
                seen = held
                wait(LOOK_S)
                waited_s += LOOK_S
                continue
            try:
                self._tag = self._swap(None if found is None else found[1])
            except Conflict:
                continue
            self.unclean = held is not None
            self._thread.start()
            return

    def check(self) -> None:
        """Raises LockLost when the lock is no longer ours."""
        if self._lost.is_set():
            raise LockLost(self._table)

    def give_back(self) -> None:
        """Ends the lease; nothing when the lock was lost."""
        self._ended.set()
        self._thread.join()
        if self._lost.is_set():
            return
        with suppress(Conflict, FilesError):  # taken over at this very moment; or it runs out
            if self._left:
                self._tag = self._swap(self._tag, 0)
            else:
                self._files.remove(lock_name(self._table), self._tag)

    def leave(self) -> None:
        """The lock will be left behind, as by a step that was killed, free to be taken at once."""
        self._left = True

    def _given_up(self, held: Held) -> bool:
        return held.until_ms <= self._clock.now_ms() or alive(held.owner) is False

    def _swap(self, tag: str | None, until_ms: int | None = None) -> str:
        if until_ms is None:
            until_ms = self._clock.now_ms() + round(1000 * self._lease_s)
        content = msgspec.json.encode(msgspec.structs.replace(self._held, until_ms=until_ms))
        return self._files.swap(lock_name(self._table), content, tag)

    def _prolong(self) -> None:
        failures = 0
        while not self._ended.wait(self._lease_s / RENEWALS):
            try:
                self._tag = self._swap(self._tag)
                failures = 0
            except Conflict:
                self._lost.set()
                return
            except FilesError:
                failures += 1
                if failures >= RENEWALS - 1:  # the lease is about to end, and may be taken over
                    self._lost.set()
                    return


def machine_name() -> str:
    """This process: machine, its boot and process space, number and start."""
    return f"{_place()}:{os.getpid()}:{_started(os.getpid())}"


def alive(owner: str) -> bool | None:
    """Whether an owner's process lives; None when that can't be told from here."""
    place, _, rest = owner.partition(":")
    pid, _, rest = rest.partition(":")
    started = rest.partition(":")[0]
    if place != _place() or not started or not pid.isdigit():
        return None
    return _started(int(pid)) == started


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return platform.node()
    return f"{platform.node()}/{boot}/{space}".replace(":", "_")


def _started(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
