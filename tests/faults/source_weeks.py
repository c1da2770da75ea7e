"""What the campaign of sources knows of each connector: what its records are worth, and which of
its requests ask for what stands behind a cursor that is in the archive already."""

from __future__ import annotations

import hmac
import json
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from agents.impressions.load import Options, Source, load_file
from connectors.files.local import LocalFiles
from domain.clock import FixedClock
from domain.metrics.moments import DAY, day_ms, day_of
from domain.metrics.records import Attributes
from tests.agents.impressions.kit import packed, source_of
from tests.agents.sources.weeks import WEEKS, Week
from tests.connectors.sources.listings import Csv
from tests.connectors.sources.service import Service

SECRET = "hook-secret"
STANDING = frozenset(
    {"Github", "Twitter", "YouTube"}
)  # tell what is so now: nothing of days before


@dataclass(frozen=True)
class Asked:
    """A request, and when it came by the product's clock."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    now_ms: int


Cursor = dict[str, Any]
Behind = Callable[[Asked, Cursor], bool]
"""Whether a request asks for what the archived cursor stands behind, in the same round."""


def _day_is_behind(day: date, cursor: Cursor, now_ms: int) -> bool:
    same_round = date.fromisoformat(cursor["until"]) == day_of(now_ms) + DAY
    return same_round and day < date.fromisoformat(cursor["day"])


def analytics(asked: Asked, cursor: Cursor) -> bool:
    (span,) = json.loads(asked.body)["dateRanges"]
    return _day_is_behind(date.fromisoformat(span["startDate"]), cursor, asked.now_ms)


def meltwater(asked: Asked, cursor: Cursor) -> bool:
    first = date.fromisoformat(json.loads(asked.body)["start"][:10])
    return _day_is_behind(first, cursor, asked.now_ms)


def linkedin(asked: Asked, cursor: Cursor) -> bool:
    found = re.search(r"start:(\d+)", asked.query["timeIntervals"])
    assert found is not None
    return _day_is_behind(day_of(int(found[1])), cursor, asked.now_ms)


def youtube(asked: Asked, cursor: Cursor) -> bool:
    if asked.path.endswith("/channels"):
        return bool(cursor["at"] == asked.now_ms)
    first = date.fromisoformat(asked.query["startDate"])
    return "days" in cursor and _day_is_behind(first, cursor["days"], asked.now_ms)


def github(asked: Asked, cursor: Cursor) -> bool:
    found = re.match(r"/repos/(\w+/\w+)", asked.path)
    assert found is not None
    known = cursor["repositories"].get(found[1], {})
    return bool(known.get("at") == asked.now_ms)


def twitter(asked: Asked, cursor: Cursor) -> bool:
    return bool(cursor["at"] == asked.now_ms)


def items(asked: Asked, cursor: Cursor) -> bool:
    """What is asked for begins behind a record: that of the cursor, or a later one."""
    return bool(int(asked.query.get("after", 0)) < cursor["last"])


def leads(asked: Asked, cursor: Cursor) -> bool:
    found = re.search(r"SystemModstamp >= (\S+)", asked.query.get("q", ""))
    since = cursor["queries"]["leads"]["since"]
    return "q" in asked.query and since is not None and (found is None or found[1] < since)


def logs(asked: Asked, cursor: Cursor) -> bool:
    from connectors.sources.s3_access_logs import _digest

    name = asked.path.removeprefix("/logs").lstrip("/")
    return bool(name) and _digest(name) in cursor["known"]


def rankings(service: Service) -> Behind:
    """A file that is archived as it is may be asked for with its tag alone."""
    assert isinstance(service, Csv)

    def behind(asked: Asked, cursor: Cursor) -> bool:
        return (
            cursor["bytes"] == len(service.text.encode()) and "If-None-Match" not in asked.headers
        )

    return behind


@dataclass
class Story:
    """A connector's week. `figure`: the path whose values are added up; `figures` what their sum
    must be in the end, `records` how many there must be; `push` gives the product what it does not
    fetch, with its address; `most` is how often a record of one content may be archived."""

    name: str
    document: dict[str, Any]
    figure: str
    happen: Callable[[date], None]
    records: Callable[[], int]
    figures: Callable[[], float]
    week: Week | None = None
    behind: Behind | None = None
    push: Callable[[str], None] = lambda _url: None
    most: Callable[[Attributes], int] = lambda _attributes: 1
    begin: Callable[[Path], None] = lambda _data: None
    service: Service = field(default_factory=Service)


FIGURES: dict[str, tuple[str, Behind | None]] = {
    "Http": ("v", items), "Github": ("views", github), "Twitter": ("followers_count", twitter),
    "Analytics": ("sessions", analytics), "YouTube": ("views", youtube),
    "LinkedIn": ("impressionCount", linkedin), "Salesforce": ("Amount", leads),
    "Meltwater": ("reach", meltwater), "Rankings": ("rank", None), "Logs": ("bytes", logs),
}  # fmt: skip


def _worth(name: str, key: str, told: Any) -> float:
    """What a record that must be there adds to the sum of figures."""
    if name == "Salesforce":
        return float(told[2])
    if name == "YouTube":
        return 0.0 if key.startswith("now ") else float(told)
    return 0.0 if isinstance(told, list) else float(told)


def fetched(name: str, rng: Any, faults: Any) -> Story:
    """The week of a connector that asks a service."""
    week = WEEKS[name].made(rng, faults)
    figure, behind = FIGURES[name]

    def happen(day: date) -> None:
        week.day = day
        week.happen()

    return Story(
        name, week.document, figure, happen,
        records=lambda: len(week.want),
        figures=lambda: sum(_worth(name, key, told) for key, told in week.want.items()),
        week=week, behind=behind or rankings(week.service), service=week.service,
    )  # fmt: skip


def pushed(rng: Any) -> Story:
    """Deliveries of GitHub: each is pushed until it is taken, and some of them once more."""
    due: list[tuple[str, bytes]] = []
    sizes: dict[str, int] = {}

    def happen(day: date) -> None:
        for _ in range(rng.randrange(4, 12)):
            ident = f"d{len(sizes)}"
            sizes[ident] = rng.randrange(1, 50)
            body = {"size": sizes[ident], "repository": {"full_name": "acme/alpha"}}
            due.extend([(ident, json.dumps(body).encode())] * rng.choice([1, 1, 2]))

    def push(url: str) -> None:
        while due:
            ident, body = due[0]
            signature = "sha256=" + hmac.new(SECRET.encode(), body, sha256).hexdigest()
            headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": ident,
                       "X-GitHub-Event": "push", "Content-Type": "application/json"}  # fmt: skip
            request = urllib.request.Request(f"{url}/hooks/s", body, headers, method="POST")
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status in (200, 202)
            due.pop(0)

    document = {"connector": "github_webhook", "credentials": {"secret": "HOOK"}, "schedule": None}
    return Story(
        "Hooks", document, "size", happen, lambda: len(sizes), lambda: sum(sizes.values()),
        push=push,
    )  # fmt: skip


def loaded(rng: Any) -> Story:
    """Files of impressions, loaded each day into days of their own and into the day before."""
    rows: dict[tuple[date, str], int] = {}
    changes = Counter[str]()  # by day: each gives all campaigns of the day anew
    loads: list[str] = []
    held: dict[str, LocalFiles] = {}

    def begin(data: Path) -> None:
        held["files"] = LocalFiles(data / "impressions")

    def happen(day: date) -> None:
        lines = []
        for at in (day, day - DAY):
            changes[at.isoformat()] += 1
            for campaign in rng.sample("abcdef", rng.randrange(1, 5)):
                count = rng.randrange(1, 9)
                rows[at, campaign] = rows.get((at, campaign), 0) + count
                lines += [
                    f"{at:%m/%d/%Y},{len(loads)}-{campaign}-{n},{campaign},v,0.5"
                    for n in range(count)
                ]
        name = f"day{len(loads)}.csv.gz"
        source: Source = source_of(packed(*lines), name)
        load_file(held["files"], FixedClock(day_ms(day)), source, Options())
        loads.append(name)

    return Story(
        "Impressions", {"connector": "impressions", "fetch": {}}, "rows", happen,
        records=lambda: len(rows) + len(loads), figures=lambda: sum(rows.values()), begin=begin,
        most=lambda told: changes[str(told["day"])] if told["kind"] == "day" else 1,
    )  # fmt: skip


def story(name: str, rng: Any, faults: Any) -> Story:
    """The week of a connector, by its name here."""
    if name == "Hooks":
        return pushed(rng)
    return loaded(rng) if name == "Impressions" else fetched(name, rng, faults)


STORIES = (*WEEKS, "Hooks", "Impressions")
