"""Services that tell figures of accounts: GitHub, Twitter, YouTube, LinkedIn, Google Analytics."""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import web

from domain.metrics.moments import DAY, day_ms, days
from tests.connectors.sources.service import Service


def stamp(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def past() -> str:
    """A reset that is just over."""
    return str(int(time.time()))


class Github(Service):
    """Two repositories. `figures` are stars, forks, watchers; `pulls` open ones, 100 a page."""

    def __init__(self, faults: Any = ()) -> None:
        super().__init__(faults)
        self.figures = {"acme/alpha": [1, 2, 3], "acme/beta": [10, 20, 30]}
        self.pulls = {"acme/alpha": 3, "acme/beta": 0}
        self.views: dict[str, dict[date, list[int]]] = {"acme/alpha": {}, "acme/beta": {}}
        self.unchanged = 0
        self.refused_traffic: set[str] = set()

    def limited(self) -> web.StreamResponse:
        headers = {
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": past(),
            "X-RateLimit-Limit": "60",
        }
        return web.json_response({"message": "rate limit"}, status=403, headers=headers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer gh-token"
        found = re.fullmatch(r"/repos/(\w+/\w+)(/pulls|/traffic/(views|clones))?", request.path)
        assert found is not None
        name = found[1]
        if found[3] and name in self.refused_traffic:
            return web.json_response({"message": "Must have push access"}, status=403)
        body: Any
        headers = {"X-RateLimit-Remaining": "4987", "X-RateLimit-Limit": "5000"}
        if found[3]:
            told = self.views[name] if found[3] == "views" else {}
            body = {"count": 0, "uniques": 0, found[3]: [
                {"timestamp": stamp(day), "count": c, "uniques": u} for day, (c, u) in told.items()
            ]}  # fmt: skip
        elif found[2]:
            assert request.query["state"] == "open"
            page, size = int(request.query.get("page", 1)), int(request.query["per_page"])
            left = self.pulls[name] - (page - 1) * size
            body = [{"number": n} for n in range(min(size, left))]
            if left > size:
                target = f"{self.url}{request.path}?state=open&per_page={size}&page={page + 1}"
                headers["Link"] = f'<{target}>; rel="next", <{target}>; rel="last"'
        else:
            stars, forks, watchers = self.figures[name]
            body = {
                "id": 7, "full_name": name, "stargazers_count": stars, "forks_count": forks,
                "subscribers_count": watchers, "watchers_count": stars, "owner": {"login": "acme"},
            }  # fmt: skip
        text = json.dumps(body)
        tag = f'W/"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == tag:
            self.unchanged += 1
            return web.Response(status=304, headers=headers)
        return web.Response(
            text=text, content_type="application/json", headers={**headers, "ETag": tag}
        )


class Twitter(Service):
    """`followers` of one account."""

    followers = 100

    def limited(self) -> web.StreamResponse:
        headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": past()}
        return web.json_response({"title": "Too Many Requests"}, status=429, headers=headers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer tw-token"
        if request.path != "/2/users/by/username/acme":
            return web.json_response({"errors": [{"detail": "Could not find user"}]})
        assert request.query["user.fields"] == "public_metrics"
        figures = {"followers_count": self.followers, "following_count": 1, "tweet_count": 2,
                   "listed_count": 3}  # fmt: skip
        data = {"id": "12", "name": "Acme", "username": "acme", "public_metrics": figures}
        return web.json_response({"data": data}, headers={"x-rate-limit-remaining": "74"})


class Settling(Service):
    """Figures by day; those of the last three days still change. `token` is what it takes."""

    def __init__(self, faults: Any = ()) -> None:
        super().__init__(faults)
        self.days: dict[date, int] = {}
        self.tokens = 0
        self.token = "t0"

    def signed_in(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    async def renew(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["grant_type"] == "refresh_token" and form["refresh_token"] == "refresh"
        assert (form["client_id"], form["client_secret"]) == ("id", "secret")
        self.tokens += 1
        self.token = f"t{self.tokens}"
        return web.json_response({"access_token": self.token, "expires_in": 3600})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return await self.renew(request)
        if not self.signed_in(request):
            return web.json_response({"error": {"code": 401}}, status=401)
        return await self.figures(request)

    async def figures(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError


class Analytics(Settling):
    """Two rows a day, by country; one row an answer, so that a day takes two."""

    async def figures(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/v1beta/properties/123:runReport"
        body = await request.json()
        (span,) = body["dateRanges"]
        assert span["startDate"] == span["endDate"]
        assert [each["name"] for each in body["dimensions"]] == ["date", "country"]
        assert [each["name"] for each in body["metrics"]] == ["sessions", "engagementRate"]
        day = date.fromisoformat(span["startDate"])
        count = self.days.get(day)
        rows = [] if count is None else [
            {"dimensionValues": [{"value": f"{day:%Y%m%d}"}, {"value": country}],
             "metricValues": [{"value": str(count * more)}, {"value": "0.5"}]}
            for country, more in (("Sweden", 1), ("India", 2))
        ]  # fmt: skip
        offset = int(body["offset"])
        answer = {"rows": rows[offset : offset + 1], "rowCount": len(rows)}
        quota = {"tokensPerHour": {"consumed": 1, "remaining": 39_000}}
        return web.json_response({**answer, "propertyQuota": quota, "kind": "x"})


class YouTube(Settling):
    """`subscribers` now, and views by day."""

    subscribers = 5

    async def figures(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/youtube/v3/channels":
            assert request.query["part"] == "statistics" and request.query["id"] == "UC1"
            figures = {"viewCount": "900", "subscriberCount": str(self.subscribers),
                       "hiddenSubscriberCount": False, "videoCount": "12"}  # fmt: skip
            return web.json_response({"items": [{"id": "UC1", "statistics": figures}]})
        assert request.path == "/v2/reports" and request.query["dimensions"] == "day"
        assert request.query["ids"] == "channel==UC1"
        first = date.fromisoformat(request.query["startDate"])
        end = date.fromisoformat(request.query["endDate"]) + DAY
        rows = [[d.isoformat(), self.days[d], 2] for d in days(first, end) if d in self.days]
        names = ["day", *request.query["metrics"].split(",")]
        headers = [{"name": name, "columnType": "METRIC"} for name in names]
        return web.json_response({"columnHeaders": headers, "rows": rows})


class LinkedIn(Settling):
    """Impressions by day."""

    async def figures(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/rest/organizationalEntityShareStatistics"
        assert request.headers["LinkedIn-Version"]
        assert request.headers["X-Restli-Protocol-Version"] == "2.0.0"
        assert request.query["organizationalEntity"] == "urn:li:organization:55"
        span = re.fullmatch(
            r"\(timeRange:\(start:(\d+),end:(\d+)\),timeGranularityType:DAY\)",
            request.query["timeIntervals"],
        )
        assert span is not None
        first, end = (datetime.fromtimestamp(int(ms) / 1000, UTC).date() for ms in span.groups())
        elements = [
            {"totalShareStatistics": {"impressionCount": self.days[day], "clickCount": 1},
             "timeRange": {"start": day_ms(day), "end": day_ms(day + DAY)},
             "organizationalEntity": "urn:li:organization:55"}
            for day in days(first, end) if day in self.days
        ]  # fmt: skip
        return web.json_response({"paging": {"start": 0}, "elements": elements})
