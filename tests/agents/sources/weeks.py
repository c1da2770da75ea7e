"""A week of each service: what happens on a day, and what must be known at its end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, ClassVar

from domain.metrics.moments import day_ms, day_of
from tests.agents.sources.world import NOW_MS
from tests.connectors.sources import accounts, listings
from tests.connectors.sources.service import Items, Service

HOUR_MS = 3_600_000
FIRST = day_of(NOW_MS)
REFRESH = {"client_id": "C", "client_secret": "S", "refresh_token": "R"}
ENVIRON = {
    "C": "id", "S": "secret", "R": "refresh", "TW": "tw-token", "GH": "gh-token", "MW": "mw-key",
    "AK": "AK", "SK": "SK", "T0": "t0",
}  # fmt: skip


@dataclass
class Week:
    """One service. `happen` makes its day; `wanted` is key text -> figures, as far as they are to
    be known now; `told` takes the same of what was archived."""

    rng: random.Random
    service: Service
    document: dict[str, Any]
    day: date = FIRST
    want: dict[str, Any] = field(default_factory=dict)
    once: ClassVar[bool] = False  # no content of a record is archived twice

    def happen(self) -> None:
        raise NotImplementedError

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        raise NotImplementedError

    def at(self) -> int:
        return day_ms(self.day) + self.rng.randrange(24) * HOUR_MS


class HttpWeek(Week):
    once = True

    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, Items(faults), {
            "connector": "http_json",
            "fetch": {"path": "/items", "params": {"limit": 3}, "records": "items", "key": "id",
                      "ts": "at", "paging": {"next": "next", "param": "after"},
                      "cursor": {"field": "id", "param": "after"}},
        })  # fmt: skip

    def happen(self) -> None:
        assert isinstance(self.service, Items)
        for _ in range(self.rng.randrange(6)):
            number = len(self.service.items) + 1
            self.service.items.append({"id": number, "at": self.at(), "v": number * 2})
            self.want[str(number)] = number * 2

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        return key, record["v"]


class GithubWeek(Week):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, accounts.Github(faults), {
            "connector": "github", "credentials": {"token": "GH"},
            "fetch": {"repositories": ["acme/alpha", "acme/beta"], "from": "2024-01-01"},
        })  # fmt: skip

    def happen(self) -> None:
        service = self.service
        assert isinstance(service, accounts.Github)
        for name in service.figures:
            service.figures[name][0] += self.rng.randrange(3)
            service.pulls[name] = self.rng.choice([0, 5, 100, 101, 250])
            views = service.views[name]
            views[self.day] = [self.rng.randrange(50), 1]
            before = self.day - timedelta(days=1)
            if before in views:
                views[before] = [views[before][0] + 1, 2]
            for old in [day for day in views if day < self.day - timedelta(days=3)]:
                del views[old]
            self.want |= {f"{name} views {d}": c for d, (c, _) in views.items()}
            # what is true at the fetch of this day
            self.want[f"{name} {self.day}"] = [*service.figures[name], service.pulls[name]]

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        day = day_of(record["ts"])
        if record["kind"] == "views":
            return f"{record['full_name']} views {day}", record["views"]
        figures = [record[f"{name}_count"] for name in ("stargazers", "forks", "subscribers")]
        return f"{record['full_name']} {day}", [*figures, record["open_pulls"]]


class TwitterWeek(Week):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, accounts.Twitter(faults), {
            "connector": "twitter", "credentials": {"token": "TW"},
            "fetch": {"username": "acme"},
        })  # fmt: skip

    def happen(self) -> None:
        assert isinstance(self.service, accounts.Twitter)
        self.service.followers += self.rng.randrange(9)
        self.want[str(self.day)] = self.service.followers

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        return str(day_of(record["ts"])), record["followers_count"]


class SettlingWeek(Week):
    """Figures of the last three days change, and the token runs out."""

    def happen(self) -> None:
        service = self.service
        assert isinstance(service, accounts.Settling)
        service.days[self.day] = self.rng.randrange(1, 100)
        for ago in (1, 2, 3):
            before = self.day - timedelta(days=ago)
            if before in service.days and self.rng.random() < 0.5:
                service.days[before] += 1
        if "refresh_token" in self.document["credentials"] and self.rng.random() < 0.4:
            service.token = "gone"
        self.want = {str(day): count for day, count in service.days.items()}


class AnalyticsWeek(SettlingWeek):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, accounts.Analytics(faults), {
            "connector": "google_analytics", "credentials": REFRESH,
            "fetch": {"property": 123, "dimensions": ["date", "country"],
                      "metrics": ["sessions", "engagementRate"], "from": FIRST.isoformat()},
        })  # fmt: skip

    def happen(self) -> None:
        super().happen()
        self.want = {f"{day} {c}": count * n for day, count in self.want.items()
                     for c, n in (("Sweden", 1), ("India", 2))}  # fmt: skip

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        assert record["engagementRate"] == 0.5
        return f"{day_of(record['ts'])} {record['country']}", record["sessions"]


class YouTubeWeek(SettlingWeek):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, accounts.YouTube(faults), {
            "connector": "youtube", "credentials": REFRESH,
            "fetch": {"channel": "UC1", "metrics": ["views", "likes"], "from": FIRST.isoformat()},
        })  # fmt: skip

    def happen(self) -> None:
        super().happen()
        assert isinstance(self.service, accounts.YouTube)
        self.service.subscribers += 1
        self.snapshots = {
            **getattr(self, "snapshots", {}),
            f"now {self.day}": self.service.subscribers,
        }
        self.want |= self.snapshots

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        if record["kind"] == "snapshot":
            return f"now {day_of(record['ts'])}", record["subscriberCount"]
        return str(day_of(record["ts"])), record["views"]


class LinkedInWeek(SettlingWeek):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, accounts.LinkedIn(faults), {
            "connector": "linkedin", "credentials": {"token": "T0"},
            "fetch": {"organization": 55, "from": FIRST.isoformat()},
        })  # fmt: skip

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        return str(day_of(record["ts"])), record["impressionCount"]


class SalesforceWeek(Week):
    once = True

    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        soql = "SELECT Amount FROM Lead WHERE Amount > 0 ORDER BY Id LIMIT 5"
        return cls(rng, listings.Salesforce(faults), {
            "connector": "salesforce", "credentials": REFRESH,
            "fetch": {"queries": [{"name": "leads", "soql": soql}]},
        })  # fmt: skip

    def happen(self) -> None:
        service = self.service
        assert isinstance(service, listings.Salesforce)
        at = day_ms(self.day)
        for _ in range(self.rng.randrange(5)):
            name = f"L{len(service.leads):03}"
            at += self.rng.choice([0, 1, 1000])
            service.leads[name] = at, at, self.rng.randrange(1, 9)
        for name in self.rng.sample(sorted(service.leads), len(service.leads) // 3):
            at += self.rng.choice([0, 1])
            service.leads[name] = service.leads[name][0], at, self.rng.randrange(10, 99)
        if self.rng.random() < 0.4:
            service.token = "gone"
        self.want = {name: list(lead) for name, lead in service.leads.items()}

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        from domain.aggregation.instants import parse_instant

        return key, [record["ts"], parse_instant(record["SystemModstamp"]), record["Amount"]]


class MeltwaterWeek(Week):
    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, listings.Meltwater(faults), {
            "connector": "meltwater", "credentials": {"apikey": "MW"},
            "fetch": {"search": 9, "from": FIRST.isoformat()},
        })  # fmt: skip

    def happen(self) -> None:
        service = self.service
        assert isinstance(service, listings.Meltwater)
        for _ in range(self.rng.choice([0, 2, 3, 100, 130])):
            service.mentions[f"m{len(service.mentions)}"] = self.at(), self.rng.randrange(1000)
        late = day_ms(max(FIRST, self.day - timedelta(days=2)))
        service.mentions[f"m{len(service.mentions)}"] = late, 7
        self.want = {name: reach for name, (_, reach) in service.mentions.items()}

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        return key, record["reach"]


class RankingsWeek(Week):
    once = True

    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, listings.Csv(faults), {
            "connector": "pro_rankings", "fetch": {"csv": "URL/ranks.csv", "ts": "date"},
        })  # fmt: skip

    def happen(self) -> None:
        assert isinstance(self.service, listings.Csv)
        if str(self.day) in self.service.text:
            return  # a day is written once
        for word in ("red, blue", "shoes"):
            rank = self.rng.randrange(1, 50)
            self.service.text += f'{self.day},"{word}",{rank}\n'
            self.want[f"{self.day} {word}"] = rank

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        return f"{record['date']} {record['keyword']}", record["rank"]


class LogsWeek(Week):
    once = True

    @classmethod
    def made(cls, rng: random.Random, faults: Any) -> Week:
        return cls(rng, listings.S3(faults), {
            "connector": "s3_access_logs", "credentials": {"access_key": "AK", "secret_key": "SK"},
            "fetch": {"bucket": "logs", "prefix": "access/", "overlap": "48h"},
        })  # fmt: skip

    def happen(self) -> None:
        service = self.service
        assert isinstance(service, listings.S3)
        for _ in range(self.rng.randrange(4)):
            number = len(service.objects)
            at = self.day - timedelta(
                days=self.rng.choice([0, 0, 1]) if self.want else 0
            )  # late ones
            hour = self.rng.randrange(self.day.day % 3, 20)
            name = f"access/{at.isoformat()}-{hour:02}-00-00-{self.day:%d}{number:04X}"
            lines = []
            for line in range(self.rng.randrange(1, 3)):
                request = f"R{len(self.want)}"
                size = self.rng.choice(["-", "512"])
                lines.append(
                    f"owner logs [{at:%d/%b/%Y}:{hour:02}:00:{line:02} +0000] 10.0.0.1 - {request} "
                    f'REST.GET.OBJECT a/b.png "GET /a/b.png HTTP/1.1" 200 - {size} 512 7 6 "-" '
                    f'"Mozilla/5.0 (x)" -'
                )
                self.want[request] = 0 if size == "-" else 512
            service.objects[name] = "\n".join(lines) + "\n"

    def told(self, key: str, record: dict[str, Any]) -> tuple[str, Any] | None:
        assert (record["status"], record["key"], record["bucket"]) == (200, "a/b.png", "logs")
        return key, record["bytes"]


WEEKS = {
    week.__name__.removesuffix("Week"): week
    for week in (
        HttpWeek, GithubWeek, TwitterWeek, AnalyticsWeek, YouTubeWeek, LinkedInWeek, SalesforceWeek,
        MeltwaterWeek, RankingsWeek, LogsWeek,
    )
}  # fmt: skip
