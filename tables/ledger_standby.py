"""A standby copy of a ledger: its store, kept at one of the last commits of the changelog that
another worker writes.

As `standby.py`, but commits of a ledger are whole or not at all: what came of one is held back in
memory until its marker is there, and then put. Only while a copy is made, or far behind, records
are put as they come, as recovery does, and it is not readable. A position is noted only where a
commit ends, so that whoever opens the store finds what a commit without a marker has replaced.
"""

import asyncio

from tables.changelog import Change
from tables.layout import encode
from tables.ledger import Ledger
from tables.ledger_layout import LOCAL, MARKER
from tables.ledger_recovery import Reading, Tail, begin, empty, take
from tables.standby import SETTLED_MS, Follower

HELD = 50_000  # changes of a commit that wait for its marker; a commit has some thousand rows


class LedgerCopy(Follower[Reading]):
    """See the module; others may read the ledger's `view` while it is `readable`."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger.number, ledger.changelog)
        self.ledger = ledger
        self._held: list[Change] = []
        self._settled_ms = 0

    def _begin(self) -> Reading:
        self.changelog.restart()
        # what was put before and not noted may be a part of a commit
        self._held, self.readable = [], False
        self._reading = begin(self.ledger)
        return self._reading

    async def _catch_up(self, reading: Reading) -> None:
        ledger, changelog = self.ledger, self.changelog
        changelog.gaps = False
        before = reading.next
        async for changes in changelog.follow(before):
            if reading.stale and changelog.gaps:
                self.readable, self._reading = False, None
                await asyncio.to_thread(empty, ledger)
                return
            self._look()
            changelog.check_formats()
            self._held += changes
            if changelog.gaps or len(self._held) > HELD:
                self.readable = False  # markers may be missing: nothing tells where a commit ends
            self._put(reading.tail)
            await asyncio.sleep(0)
        changelog.check_formats()
        reading.next = changelog.next_offset
        self._settle(reading, changed=reading.next != before)

    def _put(self, tail: Tail) -> None:
        count = len(self._held)
        if self.readable:
            markers = (n for n in range(count, 0, -1) if self._held[n - 1][0] == MARKER)
            count = next(markers, 0)
        if count:
            take(self.ledger, tail, self._held[:count])
            del self._held[:count]

    def _settle(self, reading: Reading, *, changed: bool) -> None:
        """All is put that there is; whether a commit ends here is seen from what it replaces."""
        ledger = self.ledger
        sequence, _ = reading.tail.after(ledger.marker.sequence)
        if self._held or sequence > ledger.marker.sequence:
            return
        now = ledger.now_ms()
        if changed or not self.readable or now - self._settled_ms >= SETTLED_MS:
            ledger.store.write([(LOCAL, ledger.local()), (MARKER, encode(ledger.marker))])
            self._settled_ms = now
        reading.tail = Tail()
        reading.cold = reading.stale = False
        self.readable = True

    def close(self) -> None:
        """Closes the store, while `catch_up` does not run; what was put is on disk."""
        self.readable = False
        self.ledger.close()
