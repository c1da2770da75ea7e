"""What the console and the HTTP API ask of the running system about campaigns.

Part of `app.backend.Backend`; what is said there of errors, times and cursors holds here. A day is
`YYYY-MM-DD`, None today in the flow's zone (each campaign in its own). Numbers are as stored:
masking is the web layer's.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

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
from app.shapes import Change, Page


class CampaignsBackend(Protocol):
    """Campaigns of the running system.

    Changes raise IdempotencyConflict, RefusedAction (409) and RefusedUpload (422). None is
    answered for a campaign, FDD, number or command that nobody has heard of.
    """

    # Reading

    async def campaigns(
        self, day: str | None, q: str, status: str | None, limit: int, cursor: str | None
    ) -> Campaigns:
        """Campaigns with an upload or FDDs on that day, the newest upload first. `q` is looked for
        in request id, name and flow, `status` is one of those shown; neither changes the tabs."""

    async def campaign(self, request_id: str, day: str | None) -> Json | None:
        """One campaign with its counts on that day: one snapshot."""

    async def campaign_fdds(
        self, request_id: str, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[Json] | None:
        """FDDs of a campaign. `where` may hold `day`, `slot`, `status` (IN_PROGRESS, COMPLETED…)
        and `number`."""

    async def fdd(self, fdd_id: str) -> Json | None:
        """One FDD with its attempts."""

    async def fdd_why(self, fdd_id: str) -> Json | None:
        """Every rule that was evaluated for it, with what it saw and decided."""

    async def fdds_by_number(self, number: str, limit: int, cursor: str | None) -> Page[Json]:
        """FDDs of a person over all campaigns, the newest day first. `number` in E.164."""

    async def rejections(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        """Rows of the file that were not accepted: {"row","column","code","value"}."""

    async def rejected_rows(self, request_id: str) -> Bytes | None:
        """The rejected rows as a CSV, as they were uploaded and under the same header."""

    async def leftovers(self, request_id: str, day: str | None) -> Bytes | None:
        """The records that the day left unfinished as a CSV with the columns as uploaded."""

    async def negative_files(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        """Lists of negatives that were uploaded: {"upload_id","at","actor","reason","filename",
        "rows","matched","unknown","invalid","distinct","fdds"}, the newest first."""

    async def campaign_alerts(self) -> Sequence[Json]:
        """Alerts about campaigns that have started and not ended, the newest first: {"alert",
        "flow","request_id","day","slot","state","value","mark","since","text"}."""

    async def do_not_call(self, limit: int, cursor: str | None) -> Page[Json]:
        """Numbers not to be called in any campaign: {"number","expires","at","actor","reason"}."""

    async def listed_not_to_call(self, number: str) -> Json | None:
        """The number's row of that list; None when it isn't on it."""

    def report(
        self, kind: ReportKind, day: str | None, request_id: str | None
    ) -> AsyncIterator[Json]:
        """Rows of a report, with the keys of `campaign_shapes.COLUMNS[kind]`, raw by start time.
        Numbers are text, `retriggered` a bool, `attempt` and `count` integers."""

    # Uploading

    async def upload_campaign(self, upload: Upload, change: Change) -> Uploaded:
        """Takes a file: when this returns, the file and the command to read it are durable.

        The rows are read afterwards, also by another process when this one is killed; progress is
        in `campaign`. Raises RefusedUpload, RefusedFile (nothing is kept), DiskFull.
        """

    async def preview_upload(self, upload: Upload) -> Json:
        """{"would_create","rejections","fits"} of a file, of which nothing is kept.

        Of the rejections the first 1,000 are listed. Raises as `upload_campaign` does."""

    # Changing

    async def change_campaign(
        self,
        request_id: str,
        action: Action,
        body: Mapping[str, object],
        change: Change,
        dry_run: bool,
        wait_s: float = 10.0,
    ) -> Commanded | None:
        """Retriggers, reschedules, revokes, pauses or resumes it. `body` has the members that
        campaigns-api.md names for the action, without reason and dry_run.

        Returns when it is done or `wait_s` is over (then it is `running` and goes on).
        """

    async def add_negatives(
        self, request_id: str, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        """Numbers not to be contacted in this request. Raises RefusedFile."""

    async def withdraw_negative(
        self, request_id: str, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        """Takes a negative back, for the days to come. None too if it isn't one."""

    async def add_do_not_call(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded:
        """Numbers not to be called in any campaign. Raises RefusedFile."""

    async def withdraw_do_not_call(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 10.0
    ) -> Commanded | None:
        """Takes a number off that list."""

    async def campaign_command(
        self, command_id: str, wait_s: float = 0.0, at: tuple[int, int] | None = None
    ) -> Commanded | None:
        """What became of a command about campaigns; kept for 7 days. `at`: its `position`, by which
        one that no shard has come to yet is known to be running."""

    async def recount(self, request_id: str | None, repair: bool, change: Change) -> Recounted:
        """Compares the counts kept with those of the documents store, of one or all campaigns.
        With `repair`, FDDs that differ are written to the store anew from the shard's state."""

    async def erase_number(
        self, number: str, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        """Erases a number (E.164) from FDDs, negatives, spooled uploads and reports; counts stay.
        Needs a reason. Raises RefusedAction while an upload is being read. What is `running` goes
        on in the shards; repeat it to be sure of the stores."""

    async def erase_older(
        self, days: int, change: Change, dry_run: bool, wait_s: float = 60.0
    ) -> Commanded:
        """The same for all numbers of campaigns whose last day is more than `days` days ago."""
