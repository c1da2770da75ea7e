"""Services that list what happened: Salesforce, Meltwater, a CSV file, S3."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from domain.aggregation.instants import parse_instant, print_instant
from domain.metrics.moments import day_of
from tests.connectors.sources.accounts import Settling
from tests.connectors.sources.service import Service

PAGE = 2  # rows of an answer


class Salesforce(Settling):
    """Leads: by id, (created, modified, value). A token lasts until the test takes it away."""

    def __init__(self, faults: Any = ()) -> None:
        super().__init__(faults)
        self.leads: dict[str, tuple[int, int, int]] = {}
        self.usage = "api-usage=18/5000"
        self._locators: dict[str, tuple[list[dict[str, Any]], int]] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/services/oauth2/token":
            return await self.renew(request)
        return await super().answer(request)

    async def figures(self, request: web.Request) -> web.StreamResponse:
        locator = re.fullmatch(r"/services/data/v[\d.]+/query/(\w+)-(\d+)", request.path)
        if locator is not None:
            rows, start = self._locators[locator[1]][0], int(locator[2])
        else:
            rows, start = self._asked(request.query["q"]), 0
            self._locators[f"q{len(self._locators)}"] = rows, 0
        name = locator[1] if locator else f"q{len(self._locators) - 1}"
        page = rows[start : start + PAGE]
        self.seen([f"{row['Id']} {row['SystemModstamp']}" for row in page])
        body: dict[str, Any] = {"totalSize": len(rows), "records": page}
        body["done"] = start + PAGE >= len(rows)
        if not body["done"]:
            body["nextRecordsUrl"] = f"/services/data/v62.0/query/{name}-{start + PAGE}"
        return web.json_response(body, headers={"Sforce-Limit-Info": self.usage})

    def _asked(self, soql: str) -> list[dict[str, Any]]:
        found = re.fullmatch(
            r"SELECT Amount, Id, CreatedDate, SystemModstamp FROM Lead WHERE \(Amount > 0\)"
            r"(?: AND SystemModstamp >= (\S+))? ORDER BY SystemModstamp, Id",
            soql,
        )
        assert found is not None, soql
        since = 0 if found[1] is None else parse_instant(found[1])
        assert since is not None
        rows = sorted((lead[1], name, lead) for name, lead in self.leads.items())
        return [
            {"attributes": {"type": "Lead", "url": "/x"}, "Id": name, "Amount": lead[2],
             "CreatedDate": _told(lead[0]), "SystemModstamp": _told(lead[1])}
            for at, name, lead in rows if at >= since
        ]  # fmt: skip


def _told(ms: int) -> str:
    return print_instant(ms).replace("Z", "+0000")


class Meltwater(Service):
    """Mentions: by id, (when, reach); 100 a page as they come."""

    def __init__(self, faults: Any = ()) -> None:
        super().__init__(faults)
        self.mentions: dict[str, tuple[int, int]] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["apikey"] == "mw-key" and request.path == "/v3/search/9"
        body = await request.json()
        first, size = (body["page"] - 1) * body["page_size"], body["page_size"]
        day = date.fromisoformat(body["start"][:10])
        rows = sorted((at, name) for name, (at, _) in self.mentions.items() if day_of(at) == day)
        documents = [
            {"id": name, "published_date": print_instant(at), "content": {"title": name},
             "source": {"name": "News", "metrics": {"reach": self.mentions[name][1]}}}
            for at, name in rows[first : first + size]
        ]  # fmt: skip
        return web.json_response({"result": {"document_count": len(rows), "documents": documents}})


class Csv(Service):
    """A file that grows, with its tag."""

    text = "date,keyword,rank\n"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        tag = f'"{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(text=self.text, content_type="text/csv", headers={"ETag": tag})


class S3(Service):
    """One bucket, two names an answer. `objects`: name -> content."""

    def __init__(self, faults: Any = ()) -> None:
        super().__init__(faults)
        self.objects: dict[str, str] = {}

    def limited(self) -> web.StreamResponse:
        return web.Response(status=503, text="<Error><Code>SlowDown</Code></Error>")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AK/")
        name = unquote(request.path).removeprefix("/logs").lstrip("/")
        if name:
            self.seen([name])
            return web.Response(text=self.objects[name])
        query = request.query
        assert query["list-type"] == "2" and query["prefix"] == "access/"
        behind = query.get("continuation-token") or query.get("start-after", "")
        names = sorted(each for each in self.objects if each > behind)
        page = names[:PAGE]
        listed = "".join(f"<Contents><Key>{each}</Key></Contents>" for each in page)
        token = ""
        if len(names) > PAGE:
            token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>"
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        text = f'<ListBucketResult xmlns="{space}">{listed}{token}</ListBucketResult>'
        return web.Response(text=text, content_type="application/xml")
