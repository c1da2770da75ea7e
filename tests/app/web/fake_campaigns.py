"""Campaigns of the backend in memory: `FakeBackend` has them from here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from app.backend import BadCursor, IdempotencyConflict
from app.campaign_shapes import (
    Action,
    Bytes,
    Campaigns,
    Commanded,
    Difference,
    Json,
    Mistake,
    Numbers,
    Recounted,
    RefusedAction,
    RefusedFile,
    RefusedUpload,
    ReportKind,
    Upload,
    Uploaded,
)
from app.shapes import Change, Page
from tests.app.web import campaign_made as made

ALWAYS = "+919999999999"  # not to be called, though no list has it
CAMPAIGNS = {"none": 0, "little": 3, "big": 1_200}
FDDS = {"none": 0, "little": 12, "big": 30_000}


class FakeCampaigns:
    """Answers at once. What was asked of it is in `asked`; `refusing` is raised by any change.

    A command whose `wait_s` is 0 stays running; asked for later it is done.
    """

    size: Literal["none", "little", "big"]

    def __init__(self) -> None:
        super().__init__()
        self.refusing: Exception | None = None
        self.asked: list[tuple[str, Any]] = []
        self.uploads: dict[str, tuple[bytes, Uploaded]] = {}
        result = {"command_id": "c0", "dry_run": False, "touched": 1, "by": {}}
        self.campaign_commands = {"c0": Commanded("c0", "done", result)}
        self.alerts: list[dict[str, Any]] = []
        self.listed_negatives: list[dict[str, Any]] = []
        self.not_to_call: dict[str, dict[str, Any]] = {}
        self.differing: Sequence[Difference] = ()

    def _place(self, request_id: str) -> int | None:
        name, _, digits = request_id.rpartition("-")
        if name != "reminder" or len(digits) != 16:
            return None
        i = int(digits, 16)
        return i if i < CAMPAIGNS[self.size] else None

    async def campaigns(
        self, day: str | None, q: str, status: str | None, limit: int, cursor: str | None
    ) -> Campaigns:
        found = [made.campaign(i, day or made.DAY) for i in range(CAMPAIGNS[self.size])]
        found = [
            one
            for one in found
            if status in (None, one["status"]) and q in one["name"] + one["request_id"]
        ]
        piece = _page(found, limit, cursor)
        tabs = {"uploaded": 3_003, "attempted": 1_200, "negative": 9, "pending": 4_788}
        if self.size == "none":
            tabs = dict.fromkeys(tabs, 0)
        return Campaigns(tabs, piece.items, piece.next)

    async def campaign(self, request_id: str, day: str | None) -> Json | None:
        i = self._place(request_id)
        return None if i is None else made.campaign(i, day or made.DAY)

    async def campaign_fdds(
        self, request_id: str, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[Json] | None:
        i = self._place(request_id)
        if i is None:
            return None
        self.asked.append(("fdds", dict(where)))
        found = [made.fdd(i, n) for n in range(min(FDDS[self.size], 3_000))]
        for name in ("slot", "status", "number"):
            found = [one for one in found if where.get(name) in (None, one[name])]
        if where.get("day", made.DAY) != made.DAY:
            found = []
        return _page(found, limit, cursor)

    async def campaign_alerts(self) -> Sequence[Json]:
        return self.alerts

    async def fdd(self, fdd_id: str) -> Json | None:
        parts = fdd_id.split(".")
        i = self._place(parts[0]) if len(parts) == 5 and parts[4].isdigit() else None
        found = None if i is None else made.fdd(i, int(parts[4]) - 1)
        return found if found is not None and found["id"] == fdd_id else None

    async def fdd_why(self, fdd_id: str) -> Json | None:
        found = await self.fdd(fdd_id)
        return None if found is None else made.why(dict(found))

    async def fdds_by_number(self, number: str, limit: int, cursor: str | None) -> Page[Json]:
        found = [made.fdd(i, n) for i in range(min(CAMPAIGNS[self.size], 3)) for n in range(12)]
        return _page([one for one in found if one["number"] == number], limit, cursor)

    async def rejections(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        i = self._place(request_id)
        if i is None:
            return None
        return _page([made.rejection(n) for n in range(2 + i)], limit, cursor)

    async def rejected_rows(self, request_id: str) -> Bytes | None:
        if self._place(request_id) is None:
            return None
        return _pieces(b"number,name\r\n", b"abc0,A\r\n", b"abc1,B\r\n")

    async def leftovers(self, request_id: str, day: str | None) -> Bytes | None:
        if self._place(request_id) is None:
            return None
        self.asked.append(("leftovers", day))
        return _pieces(b"number,name\r\n", b"+919876500000,A\r\n")

    async def negative_files(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        i = self._place(request_id)
        if i is None:
            return None
        return _page([*self.listed_negatives, *map(made.negative_file, range(2))], limit, cursor)

    async def do_not_call(self, limit: int, cursor: str | None) -> Page[Json]:
        return _page(
            [self.not_to_call[number] for number in sorted(self.not_to_call)], limit, cursor
        )

    async def listed_not_to_call(self, number: str) -> Json | None:
        known = {"number": ALWAYS, "expires": None, "at": "2025-11-03T04:00:00.000Z",
                 "actor": "ada", "reason": "r"}  # fmt: skip
        return known if number == ALWAYS else self.not_to_call.get(number)

    async def report(
        self, kind: ReportKind, day: str | None, request_id: str | None
    ) -> AsyncIterator[Json]:
        self.asked.append(("report", (kind, day, request_id)))
        number = {"none": 0, "little": 4, "big": 2_500}[self.size]
        for n in range(number):
            yield made.raw_row(n) if kind == "raw" else made.eod_row(n)

    async def upload_campaign(self, upload: Upload, change: Change) -> Uploaded:
        body, description = await _whole(upload.body), await self._checked(upload)
        key = change.idempotency_key or f"{len(self.uploads)}"
        known = self.uploads.get(key)
        if known is not None:
            if known[0] != body:
                raise IdempotencyConflict(key)
            return Uploaded(known[1].request_id, known[1].warnings, repeated=True)
        warnings = []
        if description.get("schedule_column") and description.get("slots"):
            message = "the campaign has slots: the column call_at is not looked at"
            warnings = [{"code": "schedule_column_ignored", "message": message}]
        done = Uploaded(made.request_id(0), warnings)
        self.uploads[key] = body, done
        self.asked.append(("upload", (description, upload.filename, body, change)))
        return done

    async def preview_upload(self, upload: Upload) -> Json:
        await _whole(upload.body)
        slots = (await self._checked(upload)).get("slots") or ["-"]
        return {
            "would_create": dict.fromkeys(slots, 9),
            "rejections": [made.rejection(0)],
            "fits": dict.fromkeys(slots, True),
        }

    async def _checked(self, upload: Upload) -> Mapping[str, Any]:
        description = await upload.description()
        if self.refusing is not None:
            raise self.refusing
        if description.get("flow") != "reminder":
            mistake = Mistake("flow", description.get("flow"), "the name of a flow in force")
            raise RefusedUpload([mistake])
        return description

    async def change_campaign(
        self,
        request_id: str,
        action: Action,
        body: Mapping[str, object],
        change: Change,
        dry_run: bool,
        wait_s: float = 10.0,
    ) -> Commanded | None:
        i = self._place(request_id)
        if i is None:
            return None
        if made.campaign(i)["status"] == "Cancelled" and action != "revoke":
            raise RefusedAction(action, "the campaign is Cancelled")
        self.asked.append((action, (request_id, dict(body), change, dry_run)))
        return self._commanded({"touched": 7, "by": {"CREATED": 5, "QUEUED": 2}}, dry_run, wait_s)

    async def add_negatives(
        self, request_id: str, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if self._place(request_id) is None:
            return None
        return await self._list(numbers, change, dry_run, wait_s)

    async def _list(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded:
        body = await _whole(numbers.body)
        try:
            rows = body.decode().split()[1:]
        except UnicodeDecodeError:
            raise RefusedFile("it is no text in UTF-8") from None
        self.asked.append(("numbers", (numbers.filename, rows, change, dry_run)))
        result = {
            **made.negative_file(9), "upload_id": "n9", "rows": len(rows),
            "filename": numbers.filename,
        }  # fmt: skip
        if not dry_run:
            self.listed_negatives.insert(0, result)
        shown = ("upload_id", "rows", "matched", "unknown", "invalid", "distinct", "fdds")
        return self._commanded({name: result[name] for name in shown}, dry_run, wait_s)

    async def withdraw_negative(
        self, request_id: str, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if self._place(request_id) is None or number != "+919876500000":
            return None
        self.asked.append(("withdraw", (request_id, number, change, dry_run)))
        return self._commanded({"touched": 1, "by": {}}, dry_run, wait_s)

    async def add_do_not_call(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded:
        done = await self._list(numbers, change, dry_run, wait_s)
        for number in self.asked[-1][1][1] if not dry_run else ():
            self.not_to_call[number] = {
                "number": number, "expires": None, "at": "2025-11-03T04:00:00.000Z",
                "actor": change.actor, "reason": change.reason,
            }  # fmt: skip
        return done

    async def withdraw_do_not_call(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if number not in self.not_to_call:
            return None
        if not dry_run:
            del self.not_to_call[number]
        return self._commanded({"touched": 1, "by": {}}, dry_run, wait_s)

    def _commanded(self, result: dict[str, Any], dry_run: bool, wait_s: float) -> Commanded:
        if self.refusing is not None:
            raise self.refusing
        command_id = f"c{len(self.campaign_commands)}"
        whole = {"command_id": command_id, "dry_run": dry_run, **result}
        done = Commanded(command_id, "done", whole)
        self.campaign_commands[command_id] = done
        return done if wait_s else Commanded(command_id, "running", position=(1, 7))

    async def campaign_command(
        self, command_id: str, wait_s: float = 0.0, at: tuple[int, int] | None = None
    ) -> Commanded | None:
        return self.campaign_commands.get(command_id)

    async def recount(self, request_id: str | None, repair: bool, change: Change) -> Recounted:
        self.asked.append(("recount", (request_id, repair)))
        repaired = len(self.differing) if repair else 0
        return Recounted(CAMPAIGNS[self.size], self.differing, repaired)

    async def erase_older(
        self, days: int, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        self.asked.append(("erase", (days, change, dry_run)))
        return self._commanded({"touched": 3, "by": {"documents": 3}}, dry_run, wait_s)

    async def erase_number(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        self.asked.append(("erase", (number, change, dry_run)))
        return self._commanded({"touched": 4, "by": {"fdds": 3, "negatives": 1}}, dry_run, wait_s)


def _page(found: Sequence[Json], limit: int, cursor: str | None) -> Page[Json]:
    if cursor is not None and not cursor.isdigit():
        raise BadCursor(cursor)
    start = int(cursor or 0)
    end = start + limit
    return Page(found[start:end], str(end) if end < len(found) else None)


async def _whole(body: Bytes) -> bytes:
    return b"".join([piece async for piece in body])


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
