"""Numbers erased for good: from the shards, the stores, and the rejected rows of uploads."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from agents.uploads.uploads import Uploads
from app.campaign_shapes import Commanded, Mistake, RefusedChange
from app.cluster.peers import Peers
from app.facade.campaigns.commands import Commands, ids_of, merged
from app.facade.campaigns.reads import away
from app.facade.campaigns.sources import Sources
from app.shapes import Change
from connectors.stores.base import StoreUnavailable
from domain.campaigns.numbers import normalised

ERASE_ROWS = "erase_rejected"
_NO_DIGITS = re.compile(rb"[^0-9]+")
NATIONAL_DIGITS = 8  # of the end of a number: in any form, a row of the person has them in a run


class Erasures:
    """See `CampaignsBackend.erase_numbers`. Repeating one is harmless."""

    def __init__(self, parts: Sources, commands: Commands, uploads: Uploads, peers: Peers) -> None:
        self._parts, self._commands = parts, commands
        self._uploads, self._peers = uploads, peers
        self.questions = {ERASE_ROWS: self._own}

    async def erase(
        self, where: Mapping[str, str], change: Change, dry_run: bool, wait_s: float
    ) -> Commanded:
        number = normalised(where.get("number", ""), None)
        if number is None:
            expected = "a number in E.164, like +919876543210"
            raise RefusedChange([Mistake("number", where.get("number"), expected)])
        ids = ids_of("erase", f"-{number}", change, 1)
        body = {"number": number}
        (ident,) = await self._commands.give("erase", "", ids, [body], change, dry_run)
        told = await self._commands.answered_by_all(ident, wait_s)
        if told is None:
            return Commanded(ident, "running")
        done = merged([one["result"] for one in told])
        asked = {"number": number, "dry_run": dry_run}
        rows = await self._peers.ask(ERASE_ROWS, asked)
        by = {"records_and_fdds": done["touched"], "rejected_rows": sum(rows.values())}
        if not dry_run:
            try:
                by["documents"] = await self._parts.documents.erase(number)
                by["negatives"] = await self._parts.negatives.erase(number)
            except StoreUnavailable as error:
                raise away(error) from error
        by = {name: count for name, count in by.items() if count}
        return Commanded(ident, "done", {**done, "touched": sum(by.values()), "by": by})

    async def _own(self, asked: dict[str, Any]) -> int:
        """Blanks this worker's rejected rows with the number; how many had it."""
        digits = asked["number"].removeprefix("+").encode()[-NATIONAL_DIGITS:]

        def has(raw: bytes) -> bool:
            return any(digits in _NO_DIGITS.sub(b"", cell) for cell in raw.split(b","))

        def erase() -> int:
            found = 0
            for path in sorted(self._uploads.folder.path.glob("*/upload.json")):
                progress = self._uploads.progress(path.parent.name)
                if progress is not None:
                    try:
                        found += progress.erase(has, asked["dry_run"])
                    finally:
                        progress.close()
            return found

        return await asyncio.to_thread(erase)
