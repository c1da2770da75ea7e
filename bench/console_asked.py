"""What `sluice bench console` asks: addresses of every GET route of the product, by route.

`{name}` in an address is one of the places that `console_live.py` tells. A test holds that every
route of the product is here, so a new page is measured or left out for a reason.
"""

from collections.abc import Mapping, Sequence

QUERY = "/api/metrics/query?metric=bench.m7"
_FDDS = ("", "?status=IN_PROGRESS", "?status=FAILED", "?slot=16:00-18:00", "?number={number}",
         "?cursor={fdds_cursor}")  # fmt: skip
_SESSIONS = (
    "aggregator=bench",
    "aggregator=bench&cursor={sessions_cursor}",
    "aggregator=bench&group.account={account}",
    "aggregator=bench&group.account={account}&group.product=voice",
    "aggregator=bench&group.product=voice",
    "aggregator=bench&group.product={rare}",  # one of all, the last one
    "aggregator=bench&group.product=nobody%27s",
)
_CAMPAIGNS = ("", "?q=campaign+f1-0009", "?q=nothing+like+it", "?status=Scheduled",
              "?status=Cancelled", "?day={tomorrow}", "?cursor={campaigns_cursor}")  # fmt: skip
_LETTERS = ("", "?reason=undecodable", "?topic=usage", "?topic=elsewhere", "?replayed=yes",
            "?aggregator=bench", "?aggregator=nobody%27s")  # fmt: skip
_FUNNEL = ("", "?since=1h", "?campaign=spring", "?label=error", "?customer={customer}",
           "?campaign=nobody%27s", "?campaign=spring&customer=nobody%27s&label=error")  # fmt: skip
_PREFIXES = ("", "?prefix={key_prefix}", "?prefix=nothing")
_TABLES = tuple(f"{table}{prefix}" for table in ("sessions", "due", "campaigns", "rollups",
                "insight", "documents", "routes") for prefix in _PREFIXES)  # fmt: skip
_ROW = "[%22{account}%22,%22voice%22]"


def _each(path: str, *queries: str) -> tuple[str, ...]:
    return tuple(path + query for query in queries)


ASKED: Mapping[str, Sequence[str]] = {
    # pages
    "/": ("/",),
    "/processes": ("/processes",),
    "/funnel": _each("/funnel", *_FUNNEL),
    "/funnel/{id}": ("/funnel/{event}",),
    "/usage": ("/usage",),
    "/usage/{chart}": ("/usage/messages",),
    "/sessions": _each("/sessions?", *_SESSIONS),
    "/sessions/explain": ("/sessions/explain?aggregator=bench&key={live_key}&id={live_id}",),
    "/sessions/act": ("/sessions/act?aggregator=bench&group.account={account}",),
    "/sessions/day": ("/sessions/day",),
    "/sessions/resend": ("/sessions/resend?aggregator=bench&key={live_key}&id={live_id}",),
    "/sessions/erase": ("/sessions/erase?aggregator=bench",),
    "/sessions/retract": ("/sessions/retract?aggregator=bench",),
    "/sessions/one": _each("/sessions/one?aggregator=bench&key=", "{key}", "{live_key}"),
    "/campaigns": _each("/campaigns", *_CAMPAIGNS),
    "/campaigns/upload": ("/campaigns/upload",),
    "/do-not-call": ("/do-not-call",),
    "/erase": ("/erase",),
    "/fdds": _each("/fdds", "", "?number={number}", "?like={fdd}"),
    "/fdds/{id}": _each("/fdds/", "{fdd}", "{called_fdd}"),
    "/campaigns/{id}": _each("/campaigns/", "{campaign}", "{called}", "{uploaded}"),
    "/campaigns/{id}/fdds": (
        *_each("/campaigns/{campaign}/fdds", *_FDDS),
        *_each("/campaigns/{called}/fdds", "", "?status=FAILED", "?status=COMPLETED"),
    ),
    "/campaigns/{id}/rejections": ("/campaigns/{uploaded}/rejections",),
    "/campaigns/{id}/negatives": ("/campaigns/{called}/negatives",),
    "/campaigns/{id}/{action}": _each("/campaigns/{campaign}/", "pause", "retrigger", "revoke"),
    "/dashboards": ("/dashboards",),
    "/dashboards/{name}": ("/dashboards/bench",),
    "/alerts": ("/alerts",),
    "/alerts/{name}": ("/alerts/bench",),
    "/impressions": ("/impressions",),
    "/impressions/loads": ("/impressions/loads",),
    "/impressions/change": ("/impressions/change?action=partition",),
    "/configuration": ("/configuration",),
    "/configuration/apply": ("/configuration/apply",),
    "/configuration/{kind}/{name}": ("/configuration/aggregator/bench",),
    "/dead-letters": _each("/dead-letters", *_LETTERS),
    "/dead-letters/replay": ("/dead-letters/replay?reason=undecodable",),
    "/dead-letters/{id}": ("/dead-letters/{letter}",),
    "/dead-letters/{id}/original": ("/dead-letters/{letter}/original",),
    "/tables": ("/tables",),
    "/tables/{table}": _each("/tables/", *_TABLES),
    "/tables/{table}/row": (f"/tables/sessions/row?key={_ROW}",),
    "/login": ("/login",),
    # JSON
    "/api/overview": ("/api/overview",),
    "/api/processes": ("/api/processes",),
    "/api/funnel": _each("/api/funnel", *_FUNNEL),
    "/api/funnel/{id}": ("/api/funnel/{event}",),
    "/api/usage": ("/api/usage",),
    "/api/usage/{chart}": ("/api/usage/messages",),
    "/api/sessions": _each("/api/sessions?", *_SESSIONS),
    "/api/aggregators/{name}/sessions": ("/api/aggregators/bench/sessions?limit=1000",),
    "/api/aggregators/{name}/totals": ("/api/aggregators/bench/totals",),
    "/api/totals": ("/api/totals",),
    "/api/totals/{day}": ("/api/totals/{day}",),
    "/api/aggregators/{name}/flushes/{flush}/explain": (
        "/api/aggregators/bench/flushes/{live_id}/explain?group.account=live&group.product=data",
    ),
    "/api/campaigns": _each("/api/campaigns", *_CAMPAIGNS),
    "/api/campaigns/alerts": ("/api/campaigns/alerts",),
    "/api/campaigns/{request_id}": ("/api/campaigns/{campaign}",),
    "/api/campaigns/{request_id}/fdds": _each("/api/campaigns/{campaign}/fdds", *_FDDS),
    "/api/campaigns/{request_id}/rejections": ("/api/campaigns/{uploaded}/rejections",),
    "/api/campaigns/{request_id}/negatives": ("/api/campaigns/{called}/negatives",),
    "/api/do-not-call": ("/api/do-not-call",),
    "/api/do-not-call/{number}": ("/api/do-not-call/{not_called}",),
    "/api/fdds": ("/api/fdds?number={number}",),
    "/api/fdds/{fdd_id}": ("/api/fdds/{fdd}",),
    "/api/fdds/{fdd_id}/why": ("/api/fdds/{called_fdd}/why",),
    "/api/metrics/alerts": ("/api/metrics/alerts",),
    "/api/metrics/query": (
        QUERY,
        f"{QUERY}&group=repo",
        f"{QUERY}&group=repo&overlay=year",
        f"{QUERY}&group=repo&grain=month&from=2020-01-01",
        f"{QUERY}&grain=hour&where.repo=acme/r3",
    ),
    "/api/metrics": ("/api/metrics",),
    "/api/dashboards": ("/api/dashboards",),
    "/api/metrics/dashboards": ("/api/metrics/dashboards",),
    "/api/metrics/dashboards/{name}": ("/api/metrics/dashboards/bench",),
    "/api/metrics/dashboards/{name}/widgets/{n}.csv": (
        "/api/metrics/dashboards/bench/widgets/0.csv",
    ),
    "/api/metrics/digests": ("/api/metrics/digests",),
    "/api/metrics/sources": ("/api/metrics/sources",),
    "/api/sinks": ("/api/sinks",),
    "/api/impressions": ("/api/impressions",),
    "/api/impressions/loads": ("/api/impressions/loads",),
    "/api/configuration": ("/api/configuration",),
    "/api/documents": ("/api/documents",),
    "/api/documents/{kind}/{name}": ("/api/documents/aggregator/bench",),
    "/api/documents/{kind}/{name}/versions": ("/api/documents/aggregator/bench/versions",),
    "/api/documents/{kind}/{name}/status": ("/api/documents/aggregator/bench/status",),
    "/api/dead-letters": _each("/api/dead-letters", *_LETTERS),
    "/api/dead-letters/{id}": ("/api/dead-letters/{letter}",),
    "/api/tables": ("/api/tables",),
    "/api/tables/{table}": _each("/api/tables/", *_TABLES),
    "/api/tables/{table}/{key}": (f"/api/tables/sessions/{_ROW}",),
    "/api/topics": ("/api/topics",),
    "/api/topics/growths": ("/api/topics/growths",),
    "/api/topics/{topic}/records": (
        "/api/topics/usage/records?from=beginning&limit=100",
        "/api/topics/usage/records?from=end",
    ),
    "/api/audit": _each("/api/audit", "", "?actor=nobody", "?action=documents", "?object=nothing"),
    "/api/users": ("/api/users",),
    "/api/tokens": ("/api/tokens",),
    "/api/me": ("/api/me",),
    "/api/openapi.json": ("/api/openapi.json",),
    "/api/asyncapi.json": ("/api/asyncapi.json",),
    "/health/live": ("/health/live",),
    "/health/ready": ("/health/ready",),
    "/metrics": ("/metrics",),
}
"""By route: the addresses that are asked and measured whole."""

STREAMED: Mapping[str, Sequence[str]] = {
    "/api/campaigns/reports/raw": ("/api/campaigns/reports/raw",),
    "/api/campaigns/reports/eod": ("/api/campaigns/reports/eod",),
    "/api/campaigns/{request_id}/leftovers": ("/api/campaigns/{called}/leftovers",),
    "/api/metrics/feeds/{metric}.csv": ("/api/metrics/feeds/bench.m7.csv?grain=day",),
}
"""Exports, which are no pages: of these the time until the first byte is measured."""

LEFT_OUT: Mapping[str, str] = {
    "/api/metrics/dashboards/{name}.xlsx": "a file of the whole dashboard, made for one download",
    "/api/metrics/dashboards/{name}.pdf": "a file of the whole dashboard, made for one download",
    "/api/metrics/feeds/{metric}.parquet": "a file of the whole metric, made for one download",
    "/api/documents/preview/{preview}": "the state of a job, which is in memory",
    "/configuration/preview/{id}": "the state of a job, which is in memory",
    "/api/aggregators/{name}/commands/{command}": "waits for a command; one row by its key",
    "/api/campaigns/commands/{command_id}": "waits for a command; one row by its key",
    "/sources/{name}": "one of the list, and there is none without a server to fetch from",
    "/api/metrics/sources/{name}": "one of the list, and there is none without a server",
    "/api/metrics/sources/{name}/fetches/{id}": "the state of a job, which is in memory",
    "/api/metrics/sources/{name}/rebuilds/{id}": "the state of a job, which is in memory",
    "/api/sinks/{name}": "one of the list, and there is none without a server to send to",
    "/api/sinks/{name}/taken": "ids by key, and there is none without a server to send to",
    "/impressions/figures": "days of a table of files, one after the other; there is none here",
    "/api/impressions/figures": "days of a table of files; there is none here",
    "/api/impressions/plan": "lists a folder of files: no table has it",
    "/api/impressions/tables/{table}": "describes the files of a table",
    "/api/me/sessions": "of who is signed in, and nobody is",
    "/login/oidc": "leads to the provider",
    "/login/oidc/callback": "asks the provider",
}
"""By route: why it is not measured."""


def plain(path: str) -> str:
    """The route with its placeholders' names only."""
    return "/".join(
        part.partition(":")[0] + "}" if part.startswith("{") and ":" in part else part
        for part in path.split("/")
    )
