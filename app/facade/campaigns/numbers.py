"""Lists of numbers: negatives of a request, and those not to be called at all.

A list comes in as a CSV of any length. It is put on disk first, so that the number of its parts is
known and nothing of a list that can't be read is taken; then it goes to the shards in parts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from agents.uploads.folder import Spool
from agents.uploads.number_lists import (
    PART_ROWS,
    ROWS_MAX,
    TooManyNumbers,
    numbers_in,
    parts_of,
    repeats,
)
from agents.uploads.uploads import Uploads
from app.campaign_shapes import Commanded, Mistake, Numbers, RefusedFile, RefusedUpload
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.commands import Commands, added, ids_of, merged, outcome
from app.shapes import Change
from connectors.formats.csv_rows import BadHeader, NotCsv
from domain.campaigns.keys import flow_of_request
from domain.campaigns.numbers import normalised

SHOWN = (
    "command_id", "dry_run", "upload_id", "rows", "matched", "unknown", "invalid", "distinct",
    "fdds",
)  # fmt: skip
COUNTS = ("rows", "matched", "unknown", "invalid", "distinct")


class NumberLists:
    """See `CampaignsBackend`: negatives and do-not-call."""

    def __init__(self, uploads: Uploads, commands: Commands, asking: Asking) -> None:
        self._uploads, self._commands, self._asking = uploads, commands, asking

    async def add_negatives(
        self, request_id: str, numbers: Numbers, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded | None:
        about = await self._asking.of_request("about", request_id)
        if about is None:
            return None
        parts = await self._parts(numbers, about["country"], dry_run)
        ids = await self._given("negatives", request_id, parts, change, dry_run)
        flow = flow_of_request(request_id)
        answer = await self._commands.answered(ids[-1], flow, wait_s)
        if answer is None:
            return self._commands.running(ids[-1])
        done = outcome(ids[-1], answer)
        told = [done.result or {}]
        if dry_run and len(ids) > 1:
            # of a dry run each part tells its own figures; of a list, those up to it
            others = [await self._commands.answered(one, flow, wait_s) for one in ids[:-1]]
            told = [*(one["result"] for one in others if one is not None), *told]
        return Commanded(ids[-1], "done", summed(told))

    async def withdraw_negative(
        self, request_id: str, number: str, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded | None:
        found = await self._asking.of_request("is_negative", request_id, number=number)
        if found is None:
            return None
        body = {"number": found}
        return await self._commands.change("withdraw", request_id, body, change, dry_run, wait_s)

    async def add_do_not_call(
        self, numbers: Numbers, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded:
        more = {"expires_ms": numbers.expires_ms} if numbers.expires_ms is not None else {}
        parts = [{**part, **more} for part in await self._parts(numbers, None, dry_run)]
        ids = await self._given("do_not_call", "", parts, change, dry_run)
        results = []
        for ident in ids:
            told = await self._commands.answered_by_all(ident, wait_s)
            if told is None:
                return self._commands.running(ids[-1])
            results.append(merged([one["result"] for one in told]))
        return Commanded(ids[-1], "done", summed(results))

    async def withdraw_do_not_call(
        self, number: str, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded | None:
        wanted = normalised(number, None)
        if wanted is None or not await self._asking.of_flow(
            "do_not_call", "", limit=1, after=None, number=wanted
        ):
            return None
        body = {"remove": wanted}
        ids = ids_of("do_not_call", f"-{wanted}", change, 1)
        (ident,) = await self._commands.give("do_not_call", "", ids, [body], change, dry_run)
        told = await self._commands.answered_by_all(ident, wait_s)
        if told is None:
            return self._commands.running(ident)
        return Commanded(ident, "done", {**told[0]["result"], "touched": 1})

    async def _given(
        self, command: str, request_id: str, parts: list[dict[str, Any]], change: Change, dry: bool
    ) -> list[str]:
        ids = ids_of(command, request_id, change, len(parts))
        # the list is known under the id of its last part
        bodies = [{**part, "upload_id": ids[-1]} for part in parts]
        return await self._commands.give(command, request_id, ids, bodies, change, dry)

    async def _parts(
        self, numbers: Numbers, country: str | None, dry_run: bool
    ) -> list[dict[str, Any]]:
        """The bodies of the commands. Raises RefusedFile, RefusedUpload."""
        spool = await self._uploads.spool(numbers.body)
        try:
            await asyncio.to_thread(spool.sync)
            texts = await asyncio.to_thread(texts_of, spool)
        finally:
            await asyncio.to_thread(spool.close)
        again: Sequence[int] = ()
        if dry_run and len(texts) > PART_ROWS:
            again = await asyncio.to_thread(repeats, texts, country)
        return parts_of(texts, numbers.filename, again)


def texts_of(spool: Spool) -> list[str]:
    """The texts of the column `number`. Raises RefusedFile, RefusedUpload."""
    with spool.open() as file:
        try:
            return numbers_in(file)
        except NotCsv as error:
            raise RefusedFile(error.detail) from error
        except TooManyNumbers as error:
            expected = f"a list of at most {ROWS_MAX:,} numbers; send it in several"
            raise RefusedUpload([Mistake("body", f"over {ROWS_MAX:,} rows", expected)]) from error
        except BadHeader as error:
            raise RefusedUpload([Mistake("body", error.value, error.expected)]) from error


def summed(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of a list's parts together."""
    whole = {name: results[-1][name] for name in SHOWN if name in results[-1]}
    for name in COUNTS:
        if name in whole:
            whole[name] = sum(result[name] for result in results)
    if "fdds" in whole:
        fdds: dict[str, int] = {}
        for result in results:
            fdds = added(fdds, cast(Mapping[str, int], result["fdds"]))
        whole["fdds"] = fdds
    return whole
