"""Campaigns, as the facade offers them: each method goes to the part that knows."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from app.backend import Unavailable
from app.campaign_shapes import (
    Action,
    Bytes,
    Campaigns,
    Commanded,
    Json,
    Numbers,
    Recounted,
    ReportKind,
    Upload,
    Uploaded,
)
from app.cluster.peers import Peers, Question
from app.facade.appends import Appends
from app.facade.campaigns.asking import QUESTION, Asking
from app.facade.campaigns.commands import Commands
from app.facade.campaigns.erasures import Erasures
from app.facade.campaigns.leftovers import Leftovers
from app.facade.campaigns.numbers import NumberLists
from app.facade.campaigns.reads import Reads
from app.facade.campaigns.recount import Recount
from app.facade.campaigns.reports import Reports
from app.facade.campaigns.sources import Sources
from app.facade.campaigns.uploads import UploadsArea
from app.facade.exports import Exports
from app.facade.insight_erasing import InsightErasing
from app.facade.parts import Parts
from app.shapes import Change, Page


class Inside:
    """The parts behind the methods of `CampaignsArea`."""

    def __init__(
        self,
        parts: Parts,
        campaigns: Sources,
        appends: Appends,
        peers: Peers,
        crash: Callable[[BaseException], None],
        exports: Exports,
    ) -> None:
        self.asking = Asking(campaigns, peers, parts.clock)
        self.exports, self.now_ms = exports, parts.clock.now_ms
        self.reads = Reads(campaigns, self.asking)
        self.commands = Commands(appends, self.asking)
        self.files = UploadsArea(parts, campaigns.flows, appends, self.asking, peers, crash)
        self.numbers = NumberLists(self.files.uploads, self.commands, self.asking)
        self.reports = Reports(campaigns, self.asking, parts.clock.now_ms)
        self.leftovers = Leftovers(campaigns, self.asking)
        self.recount = Recount(campaigns, self.asking, self.commands)
        self.erasures = Erasures(
            campaigns, self.asking, self.commands, self.files.uploads, peers, parts.clock,
            InsightErasing(parts, peers),
        )  # fmt: skip
        self.questions: Mapping[str, Question] = {
            QUESTION: self.asking.answer,
            **self.files.questions,
            **self.erasures.questions,
        }


class CampaignsArea:
    """See `app.campaigns_backend.CampaignsBackend`."""

    _inside: Inside | None = None

    @property
    def _in(self) -> Inside:
        """Raises Unavailable where the worker has no campaigns."""
        if self._inside is None:
            raise Unavailable("campaigns", "this worker knows nothing of them")
        return self._inside

    async def campaigns(
        self, day: str | None, q: str, status: str | None, limit: int, cursor: str | None
    ) -> Campaigns:
        return await self._in.reads.campaigns(day, q, status, limit, cursor)

    async def campaign(self, request_id: str, day: str | None) -> Json | None:
        return await self._in.reads.campaign(request_id, day)

    async def campaign_fdds(
        self, request_id: str, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[Json] | None:
        return await self._in.reads.fdds(request_id, where, limit, cursor)

    async def fdd(self, fdd_id: str) -> Json | None:
        return await self._in.reads.fdd(fdd_id)

    async def fdd_why(self, fdd_id: str) -> Json | None:
        return await self._in.reads.why(fdd_id)

    async def fdds_by_number(self, number: str, limit: int, cursor: str | None) -> Page[Json]:
        return await self._in.reads.by_number(number, limit, cursor)

    async def rejections(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        return await self._in.files.rejections(request_id, limit, cursor)

    async def rejected_rows(self, request_id: str) -> Bytes | None:
        return await self._in.files.rejected_rows(request_id)

    async def leftovers(self, request_id: str, day: str | None) -> Bytes | None:
        return await self._in.leftovers.of(request_id, day)

    async def negative_files(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        return await self._in.reads.negative_files(request_id, limit, cursor)

    async def campaign_alerts(self) -> Sequence[Json]:
        return await self._in.reads.alerts()

    async def do_not_call(self, limit: int, cursor: str | None) -> Page[Json]:
        return await self._in.reads.do_not_call(limit, cursor)

    async def listed_not_to_call(self, number: str) -> Json | None:
        return await self._in.reads.not_to_call(number)

    def report(
        self, kind: ReportKind, day: str | None, request_id: str | None
    ) -> AsyncIterator[Json]:
        name = f"{kind} report of {day or 'today'}{f', {request_id}' if request_id else ''}"
        rows = self._in.reports.rows(kind, day, request_id)
        return self._in.exports.counted(name, rows, self._in.now_ms())

    async def upload_campaign(self, upload: Upload, change: Change) -> Uploaded:
        return await self._in.files.take(upload, change)

    async def preview_upload(self, upload: Upload) -> Json:
        return await self._in.files.preview(upload)

    async def change_campaign(
        self,
        request_id: str,
        action: Action,
        body: Mapping[str, object],
        change: Change,
        dry_run: bool,
        wait_s: float = 10.0,
    ) -> Commanded | None:
        if await self._in.reads.about(request_id) is None:
            return None
        return await self._in.commands.change(action, request_id, body, change, dry_run, wait_s)

    async def add_negatives(
        self, request_id: str, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        return await self._in.numbers.add_negatives(request_id, numbers, change, dry_run, wait_s)

    async def withdraw_negative(
        self, request_id: str, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        return await self._in.numbers.withdraw_negative(request_id, number, change, dry_run, wait_s)

    async def add_do_not_call(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded:
        return await self._in.numbers.add_do_not_call(numbers, change, dry_run, wait_s)

    async def withdraw_do_not_call(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        return await self._in.numbers.withdraw_do_not_call(number, change, dry_run, wait_s)

    async def campaign_command(
        self, command_id: str, wait_s: float = 0.0, at: tuple[int, int] | None = None
    ) -> Commanded | None:
        return await self._in.commands.one(command_id, wait_s, at)

    async def recount(self, request_id: str | None, repair: bool, change: Change) -> Recounted:
        return await self._in.recount.of(request_id, repair, change)

    async def erase_number(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        return await self._in.erasures.erase(number, change, dry_run, wait_s)

    async def erase_older(
        self, days: int, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        return await self._in.erasures.erase_older(days, change, dry_run, wait_s)
