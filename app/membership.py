"""Who a worker is in its consumer group across restarts: a static member, by a name that it keeps
as long as it asks for the same.

A broker gives a static member that is back what it had, whatever topics it subscribes to now, and
then nobody would read those that are new. So a worker is the member it was only if it asks for
exactly the topics that this member joined with last; the folder of the worker remembers which.
Else it is a new member, and the group finds out about the old one by its silence.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import msgspec


class Joined(msgspec.Struct):
    """The member, and the topics that it joined the group with last."""

    member: str
    topics: list[str]


class Membership:
    """The static member that is kept in `folder`. `instance` is the name of the worker's place.

    A kill at any moment leaves the truth or nothing: it is forgotten before the topics change,
    and written when the group has them.
    """

    def __init__(self, folder: Path, instance: str) -> None:
        self._file = folder / "member.json"
        self._instance = instance
        self._known: list[str] | None = None
        self.member = ""

    def begin(self, topics: Iterable[str]) -> str:
        """Who the worker is that begins by asking for these topics."""
        wanted = sorted(topics)
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=Joined)
        except (FileNotFoundError, msgspec.MsgspecError):
            found = Joined("", [])
        if found.topics == wanted and found.member.startswith(f"{self._instance}-"):
            self.member, self._known = found.member, wanted
        else:
            self.changes()
            self.member = f"{self._instance}-{uuid4().hex[:8]}"
        return self.member

    def changes(self) -> None:
        """The worker is about to ask for other topics."""
        if self._known is not None or self._file.exists():
            self._file.unlink(missing_ok=True)
            self._known = None

    def joined(self, topics: Iterable[str]) -> None:
        """The group has given the worker its share of these topics, which are all it asks for."""
        wanted = sorted(topics)
        if wanted == self._known:
            return
        part = self._file.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(msgspec.json.encode(Joined(self.member, wanted)))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)
        self._known = wanted
