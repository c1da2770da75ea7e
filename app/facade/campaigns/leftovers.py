"""What a day left unfinished, as a CSV that can be uploaded again: its columns are as uploaded."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.campaign_shapes import Bytes
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.reads import away, shown_day
from app.facade.campaigns.sources import Sources
from app.facade.campaigns.uploads import csv_line
from connectors.stores.base import FddFilter, StoreUnavailable
from domain.campaigns.rows import CREATED, FAILED, OUT_OF_SLOT, PARTIAL, QUEUED, REATTEMPT

PAGE = 500
LEFT = (CREATED, QUEUED, REATTEMPT, PARTIAL, FAILED)
NUMBER = "number"


class Leftovers:
    """See `CampaignsBackend.leftovers`: what a retrigger with its default lists would take. A
    record is listed once, in however many slots it is left."""

    def __init__(self, parts: Sources, asking: Asking) -> None:
        self._parts, self._asking = parts, asking

    async def of(self, request_id: str, day: str | None) -> Bytes | None:
        about = await self._asking.of_request("about", request_id)
        if about is None:
            return None
        return self._lines(request_id, day or shown_day(about["today"]), about["columns"])

    async def _lines(self, request_id: str, day: str, columns: list[str]) -> AsyncIterator[bytes]:
        wanted = FddFilter(request_id, day=day, states=LEFT, reasons=(OUT_OF_SLOT,))
        listed: set[int] = set()
        cursor: str | None = None
        headed = False
        while True:
            try:
                page = await self._parts.documents.find_fdds(wanted, cursor, PAGE)
            except StoreUnavailable as error:
                raise away(error) from error
            numbers = [one["record_no"] for one in page.items if one["record_no"] not in listed]
            listed.update(numbers)
            records: Mapping[int, Any] = await self._asking.of_request(
                "records", request_id, numbers=sorted(set(numbers))
            )
            lines = []
            for record_no in dict.fromkeys(numbers):
                number, fields = records.get(record_no, ("", {}))
                if not number:
                    continue  # erased
                columns = columns or [NUMBER, *fields]
                if not headed:
                    lines.append(csv_line(columns))
                    headed = True
                lines.append(csv_line([fields.get(name, number) for name in columns]))
            if lines:
                yield b"".join(lines)
            cursor = page.next
            if cursor is None:
                break
        if not headed:
            yield csv_line(columns or [NUMBER])
