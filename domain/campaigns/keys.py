"""The keys of a campaign shard's rows, and the ids that the outside sees.

Request, flow and slot hold no `/` and no `.`, so every id leads back to its row.

    c/<request>  r/<request>/<record>  n/<request>/<number>[/<record>]  x/<request>/<number>
    u/<request>/<upload>  f/<request>/<day>/<slot>/<revision>/<record>  z/<request>/<day>/<slot>
    q/<flow>/<request>/<due>/<fdd>  h/<flow>  e/<flow>  w/<flow> (a wake only)  l/<request>
    b/<request>/<day>/<slot>/<revision>/<first record>/<last> (a wake only)
    o/<day>/<request> (uploaded, or with FDDs on that day)
    a/<alert>/<about what>  i/<flow> (a wake only)  d/<number>  p/<number>/<day>
    g/<as f> (what was asked of a number's home)  j/<job>  k/<command>
    s/<day>/<zone> (without a zone: of all, as it was kept before)
    y/<request>/<revision>/<record>  t/… (messages to people, see `domain/notices.py`)

What is woken for the same time goes by key: `w`, which orders from the queue, comes after the jobs
that fill it, so that campaigns that begin together get their turns.
"""

from __future__ import annotations

RECORD_DIGITS = 8
DO_NOT_CALL_COUNT = b"d"
TOLD = b"t/"


def key(letter: str, *parts: str) -> bytes:
    """The key of such parts."""
    return "/".join((letter, *parts)).encode()


def record_key(request_id: str, record_no: int) -> bytes:
    return f"r/{request_id}/{record_no:08}".encode()


class Ref:
    """Which FDD. id: as the outside sees it. key: of its row."""

    __slots__ = ("day", "id", "key", "record_no", "request_id", "revision", "slot")

    def __init__(self, request_id: str, day: str, slot: str, revision: int, record_no: int) -> None:
        self.request_id = request_id
        self.day = day
        self.slot = slot
        self.revision = revision
        self.record_no = record_no
        self.id = f"{request_id}.{day}.{slot}.{revision}.{record_no}"
        self.key = f"f/{request_id}/{day}/{slot}/{revision}/{record_no:08}".encode()

    @property
    def place(self) -> tuple[str, str, str, int]:
        """(request, day, slot, revision): what all FDDs of a slot share."""
        return self.request_id, self.day, self.slot, self.revision


def ref_of_key(row: bytes) -> Ref:
    """The FDD whose row's key this is."""
    _, request_id, day, slot, revision, record_no = row.decode().split("/")
    return Ref(request_id, day, slot, int(revision), int(record_no))


def ref_in_queue(row: bytes) -> Ref:
    """The FDD that a row of the queue stands for."""
    fdd_id = row[row.rindex(b"/") + 1 :].decode()
    request_id, day, slot, revision, record_no = fdd_id.split(".")
    return Ref(request_id, day, slot, int(revision), int(record_no))


def ref_of_id(fdd_id: str) -> Ref | None:
    """The FDD of that id; None for a text that is no such id."""
    parts = fdd_id.split(".")
    if len(parts) != 5 or not all(parts) or "/" in fdd_id or not fdd_id.isascii():
        return None
    request_id, day, slot, revision, record_no = parts
    if not (revision.isdecimal() and record_no.isdecimal() and len(record_no) <= 8):
        return None
    ref = Ref(request_id, day, slot, int(revision), int(record_no))
    return ref if ref.id == fdd_id else None


def execution_id(fdd_id: str, attempt: int) -> str:
    return f"{fdd_id}.{attempt}"


def of_execution(execution: str) -> tuple[Ref, int] | None:
    """The FDD and attempt of an execution's id; None for a text that is no such id."""
    fdd_id, _, attempt = execution.rpartition(".")
    ref = ref_of_id(fdd_id)
    if ref is None or not attempt.isdecimal() or not attempt.isascii() or len(attempt) > 6:
        return None
    return ref, int(attempt)


def flow_of_request(request_id: str) -> str:
    """The flow's name in a request's id; empty for a text that is no such id."""
    return request_id.rpartition("-")[0]
