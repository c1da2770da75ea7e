"""The backend in memory with campaigns to look at: none, a few, or many of millions of FDDs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from app.backend import BadCursor
from app.campaign_shapes import (
    Action,
    Bytes,
    Campaigns,
    Commanded,
    Json,
    Mistake,
    Numbers,
    Recounted,
    RefusedAction,
    RefusedUpload,
    ReportKind,
    Upload,
    Uploaded,
)
from app.shapes import Change, Page
from domain.clock import FixedClock
from tests.app.web import made_campaigns as made
from tests.app.web import made_figures
from tests.app.web.fake import FakeBackend, Size
from tests.app.web.made import NOW_MS, utc

# size -> (campaigns, records of each)
CAMPAIGNS = {"none": (0, 0), "little": (4, 20), "big": (240, 5_000_000)}
WORK = {"retrigger": 412, "reschedule": 38, "revoke": 412, "pause": 0, "resume": 0}


async def text_of(body: Bytes) -> str:
    """The whole of a small file."""
    return b"".join([piece async for piece in body]).decode()


async def pieces(text: str) -> AsyncIterator[bytes]:
    """A small file, as one comes."""
    yield text.encode()


class CampaignsShown(FakeBackend):
    """Answers at once; changes are kept in `changes`, files in `given`. `refused`: any change is
    refused with it. `store_failing`: what the stores are asked fails with it. `prompt_campaigns`:
    commands are carried out while one waits."""

    def __init__(self, size: Size = "little", clock: FixedClock | None = None) -> None:
        super().__init__(size, clock)
        self.changes: list[tuple[str, str, dict[str, Any], Change]] = []
        self.given: list[tuple[dict[str, Any], str, str, Change]] = []
        self.refused: RefusedAction | None = None
        self.store_failing: Exception | None = None
        self.refusing_erasure: RefusedAction | None = None
        self.prompt_campaigns = True
        # index -> members of the campaign's JSON that a test or a change put there
        self.altered: dict[int, dict[str, Any]] = {}
        self.answers: dict[str, Commanded] = {}
        if size != "none":
            self._add("flow", "reminder", made.FLOW, "ada", "as agreed", NOW_MS)
            for body in (made_figures.BOARD, made_figures.SOURCE):
                self._add(body["kind"], body["name"], body, "ada", "as agreed", NOW_MS)
        else:
            self.sources = []
        self.shops = 12 if size == "big" else 3

    def _campaign(self, i: int, day: str | None) -> dict[str, Any]:
        rows = CAMPAIGNS[self.size][1] // (i + 1)
        return made.campaign(i, rows, day, self.altered.get(i, {}))

    def _index(self, request_id: str) -> int | None:
        number = request_id.rpartition("-")[2]
        try:
            i = int(number, 16)
        except ValueError:
            return None
        return i if i < CAMPAIGNS[self.size][0] and request_id == made.request_id(i) else None

    async def campaigns(
        self, day: str | None, q: str, status: str | None, limit: int, cursor: str | None
    ) -> Campaigns:
        if cursor is not None and not cursor.isdigit():
            raise BadCursor(cursor)
        everything = [self._campaign(i, day) for i in range(CAMPAIGNS[self.size][0])]
        if day is not None and not "2025-11-01" <= day <= "2025-11-05":
            everything = []
        tabs = {
            name: sum(one["counts"][name] for one in everything)
            for name in ("uploaded", "attempted", "pending")
        }
        negative = sum(one["counts"]["negative"]["rows"] for one in everything)
        found = [
            one
            for one in everything
            if status in (None, one["status"])
            and any(q in one[name] for name in ("request_id", "name", "flow"))
        ]
        start = int(cursor or 0)
        end = start + limit
        tabs = {"uploaded": tabs["uploaded"], "attempted": tabs["attempted"],
                "negative": negative, "pending": tabs["pending"]}  # fmt: skip
        return Campaigns(tabs, found[start:end], str(end) if end < len(found) else None)

    async def campaign(self, request_id: str, day: str | None) -> Json | None:
        i = self._index(request_id)
        return None if i is None else self._campaign(i, day)

    async def campaign_fdds(
        self, request_id: str, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[Json] | None:
        self._store()
        i = self._index(request_id)
        if i is None:
            return None
        rows = CAMPAIGNS[self.size][1] // (i + 1)
        number = where.get("number", "")
        start = int(cursor or 0)
        found: list[Json] = []
        if where.get("day") in (None, made.DAY):
            slots = [slot for slot in made.slots_of(i) if where.get("slot") in (None, slot)]
            n = start
            while n < rows * len(slots) and len(found) < limit and n < start + 10 * limit:
                one = made.fdd(i, n // len(slots) + 1, slots[n % len(slots)])
                if where.get("status") in (None, one["status"]) and number in ("", one["number"]):
                    found.append(one)
                n += 1
            return Page(found, str(n) if found and n < rows * len(slots) else None)
        return Page(found)

    async def fdd(self, fdd_id: str) -> Json | None:
        self._store()
        parts = fdd_id.split(".")
        i = self._index(parts[0])
        if i is None or len(parts) != 5 or not parts[4].isdigit():
            return None
        for slot in made.slots_of(i):
            found = made.fdd(i, int(parts[4]), slot)
            if found["id"] == fdd_id:
                return found
        return None

    async def fdd_why(self, fdd_id: str) -> Json | None:
        found = await self.fdd(fdd_id)
        return None if found is None else made.why(dict(found))

    async def fdds_by_number(self, number: str, limit: int, cursor: str | None) -> Page[Json]:
        self._store()
        some = [made.fdd(i, 3, made.slots_of(i)[0]) for i in range(min(3, CAMPAIGNS[self.size][0]))]
        return Page([one for one in some if one["number"] == number])

    async def rejections(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        i = self._index(request_id)
        if i is None:
            return None
        many = CAMPAIGNS[self.size][1] // (i + 1) // 10
        codes = (("number", "bad_number", "abc"), ("call_at", "bad_schedule", "yesterday"))
        start = int(cursor or 0)
        end = min(start + limit, many)
        items = [
            dict(zip(("row", "column", "code", "value"), (10 * n + 7, *codes[n % 2]), strict=True))
            for n in range(start, end)
        ]
        return Page(items, str(end) if end < many else None)

    async def rejected_rows(self, request_id: str) -> Bytes | None:
        return None if self._index(request_id) is None else pieces("number\nabc\n")

    async def leftovers(self, request_id: str, day: str | None) -> Bytes | None:
        return None if self._index(request_id) is None else pieces("number\n+919800000001\n")

    async def negative_files(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        self._store()
        i = self._index(request_id)
        if i is None:
            return None
        rows = CAMPAIGNS[self.size][1] // (i + 1) // 10 * (i % 4 != 1)
        one = {"upload_id": "n-1", "at": utc(NOW_MS - 600_000), "actor": "ada",
               "reason": "asked not to be called", "filename": "stop-list.csv", "rows": rows,
               "matched": rows, "unknown": 0, "invalid": 0, "distinct": rows,
               "fdds": {"negative": rows, "already_started": 0}}  # fmt: skip
        return Page([one] if rows else [])

    async def report(
        self, kind: ReportKind, day: str | None, request_id: str | None
    ) -> AsyncIterator[Json]:
        rows: list[Json] = []
        for row in rows:
            yield row

    async def preview_upload(self, upload: Upload) -> Json:
        text = await text_of(upload.body)
        description = await upload.description()
        self._check(description, text)
        rows = text.count("\n") - 1
        bad = text.count("abc")
        slots = description.get("slots") or ["-"]
        return {
            "would_create": dict.fromkeys(slots, rows - bad),
            "rejections": [{"row": 3, "column": "number", "code": "bad_number", "value": "abc"}]
            * bad,
            "fits": {slot: (True, False, None)[n % 3] for n, slot in enumerate(slots)},
        }

    def _check(self, description: Mapping[str, Any], text: str) -> None:
        column = description.get("number_column", "number")
        if column not in text.partition("\n")[0].split(","):
            raise RefusedUpload([Mistake("number_column", column, "one of the header: msisdn")])

    async def upload_campaign(self, upload: Upload, change: Change) -> Uploaded:
        text = await text_of(upload.body)
        description = await upload.description()
        self._check(description, text)
        self.given.append((dict(description), upload.filename, text, change))
        return Uploaded(made.request_id(1))

    async def change_campaign(
        self, request_id: str, action: Action, body: Mapping[str, object], change: Change,
        dry_run: bool, wait_s: float = 10.0,
    ) -> Commanded | None:  # fmt: skip
        if self._index(request_id) is None:
            return None
        if self.refused is not None:
            raise self.refused
        touched = WORK[action]
        by = {"FAILED:OUT_OF_SLOT": touched - 38, "PARTIAL_COMPLETE": 38} if touched > 38 else {}
        return self._done(request_id, action, dict(body), change, dry_run,
                          {"touched": touched, "by": by})  # fmt: skip

    def _done(
        self, request_id: str, action: str, body: dict[str, Any], change: Change, dry_run: bool,
        result: dict[str, Any],
    ) -> Commanded:  # fmt: skip
        name = "" if dry_run else f"command{len(self.changes)}"
        whole = {"command_id": name, "dry_run": dry_run, **result}
        found = Commanded(name, "done", whole)
        if not dry_run:
            self.changes.append((request_id, action, body, change))
            if not self.prompt_campaigns:
                found = replace(found, state="running", result=None)
            self.answers[name] = found
        return found

    def finish_commands(self) -> None:
        """Brings what is at work to its end."""
        for name, found in self.answers.items():
            result = {"command_id": name, "dry_run": False, "touched": 412, "by": {}}
            self.answers[name] = replace(found, state="done", result=result)

    async def add_negatives(
        self, request_id: str, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if self._index(request_id) is None:
            return None
        rows = (await text_of(numbers.body)).count("\n") - 1
        result = {"upload_id": "n-2", "rows": rows, "matched": rows - 1, "unknown": 1, "invalid": 0,
                  "distinct": rows,
                  "fdds": {"negative": rows - 2, "already_started": 1}}  # fmt: skip
        body = {"filename": numbers.filename}
        return self._done(request_id, "negatives", body, change, dry_run, result)

    async def withdraw_negative(
        self, request_id: str, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if self._index(request_id) is None or not number.startswith("+"):
            return None
        return self._done(request_id, "withdraw", {"number": number}, change, dry_run, {})

    async def add_do_not_call(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded:
        texts = (await text_of(numbers.body)).split()[1:]
        told: dict[str, Any] = {
            "upload_id": "n-3",
            "rows": len(texts),
            "matched": 1,
            "unknown": len(texts) - 1,
            "invalid": 0,
        }
        told |= {"distinct": len(texts), "fdds": {"negative": 2, "already_started": 1}}
        if not dry_run:
            for text in texts:
                self.not_to_call[text] = {
                    "number": text, "expires": None, "at": "2025-11-03T04:00:00.000Z",
                    "actor": change.actor, "reason": change.reason,
                }  # fmt: skip
        return self._done("", "do_not_call", {}, change, dry_run, told)

    async def withdraw_do_not_call(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        if number not in self.not_to_call:
            return None
        if not dry_run:
            del self.not_to_call[number]
        return self._done("", "call_again", {"number": number}, change, dry_run, {"touched": 1})

    async def campaign_command(
        self, command_id: str, wait_s: float = 0.0, at: tuple[int, int] | None = None
    ) -> Commanded | None:
        return self.answers.get(command_id)

    async def recount(self, request_id: str | None, repair: bool, change: Change) -> Recounted:
        return Recounted(CAMPAIGNS[self.size][0])

    async def erase_number(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        told = {"touched": 4, "by": {"records_and_fdds": 3, "negatives": 1}}
        return self._done("", "erase", {"number": number}, change, dry_run, told)

    async def erase_older(
        self, days: int, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        if self.refusing_erasure is not None:
            raise self.refusing_erasure
        told = {"touched": 0, "by": {}}
        return self._done("", "erase", {"days": days}, change, dry_run, told)

    def _store(self) -> None:
        if self.store_failing is not None:
            raise self.store_failing
