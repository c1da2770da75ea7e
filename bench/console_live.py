"""What the server of `sluice bench console` is told beside the rows that it finds: documents, some
records, events and an upload; and the places that addresses need.
"""

import json
import time
import urllib.error
import urllib.request
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from bench import console_fdds, console_sessions

WIDGETS: list[dict[str, Any]] = [
    {"type": "line", "metric": "bench.m0", "group": ["repo"]},
    {"type": "bar", "metric": "bench.m1", "grain": "week", "range": "182d", "overlay": "year"},
    {"type": "pie", "metric": "bench.m2", "group": ["repo"], "grain": "month", "range": "90d"},
    {"type": "number", "metric": "bench.m3", "overlay": "month"},
    {"type": "table", "metric": "bench.m4", "grain": "month", "range": "365d", "group": ["repo"]},
    {"type": "line", "metric": "bench.m5", "grain": "hour", "range": "48h", "overlay": "week"},
]
BOARD = {"kind": "dashboard", "name": "bench", "title": "Bench", "widgets": WIDGETS}
ALERT = {"kind": "alert", "name": "bench", "metric": "bench.m3", "grain": "day", "high": 1e9}
EVENTS = 5_000  # of the funnel and of usage, each
LETTERS = 3_000
REJECTED = 300
START_S = 300.0
LOOK_S = 0.2
WAIT_S = 120.0
NDJSON = "application/x-ndjson"


def get(url: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=WAIT_S) as response:
        found: bytes = response.read()
        return found


def send(url: str, body: bytes, media: str = "application/json", method: str = "POST") -> Any:
    """The JSON that is answered."""
    request = urllib.request.Request(url, body, {"Content-Type": media}, method=method)
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:
        return json.loads(response.read())


def until_ready(url: str) -> None:
    """Returns when the server does its work."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            get(url + "/health/ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)


def _until(url: str, done: Any) -> Any:
    """The answer that is as wanted."""
    deadline = time.monotonic() + START_S
    while True:
        told = json.loads(get(url))
        if done(told):
            return told
        if time.monotonic() > deadline:
            raise ValueError(f"{url} tells {str(told)[:300]}")
        time.sleep(LOOK_S)


def tell(url: str) -> None:
    """Documents in force, records and events taken."""
    until_ready(url)
    flows = [console_fdds.document(f"f{n}") for n in range(console_fdds.FLOWS)]
    for document in (console_sessions.DOCUMENT, BOARD, ALERT, *flows):
        address = f"{url}/api/documents/{document['kind']}/{document['name']}?wait=30"
        send(address, json.dumps(document).encode(), method="PUT")
    rows = [b'{"account":"live","product":"data","bytes":%d}' % n for n in range(200)]
    rows += [b'{"account":"live","bytes":%d}' % n for n in range(LETTERS)]
    send(f"{url}/api/topics/usage/records", b"\n".join(rows), NDJSON)
    operations = ("Enter", "Confirm", "Action", "Error")
    events: list[dict[str, Any]] = []
    for n in range(EVENTS):
        customer = f"customer-{n % 700}"
        events.append({"kind": "funnel", "operation": operations[n % 4], "campaign": "spring",
                       "step": "cart", "customer": customer, "ok": True})  # fmt: skip
        events.append(
            {
                "kind": "usage",
                "what": ("message", "banner", "lead")[n % 3],
                "campaign": "spring",
                "customer": customer,
                "placeholder": "top",
            }
        )
    body = b"\n".join(json.dumps(event).encode() for event in events)
    send(f"{url}/api/topics/campaign-events/records", body, NDJSON)
    for n in range(20):
        csv = b"number\n" + b"\n".join(b"+9197%08d" % (n * 10 + i) for i in range(10))
        send(f"{url}/api/do-not-call?reason=asked&filename=list.csv", csv, "text/csv")


def upload(url: str) -> str:
    """A small file with rows that are rejected; its request id."""
    csv = "number\n" + "\n".join(["+919700000001", *(f"bad {n}" for n in range(REJECTED))])
    description = json.dumps({"flow": "f0", "name": "rejected", "slots": ["16:00-18:00"]})
    edge = "edge-of-a-part"
    parts = (
        f'--{edge}\r\nContent-Disposition: form-data; name="description"\r\n\r\n{description}\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{csv}\r\n--{edge}--\r\n"
    )
    told = send(f"{url}/api/campaigns", parts.encode(), f"multipart/form-data; boundary={edge}")
    request_id = str(told["request_id"])
    _until(f"{url}/api/campaigns/{request_id}", lambda it: it["upload"]["rejected"] == REJECTED)
    return request_id


def places(url: str, sessions: int, campaigns: int, day: str) -> dict[str, str]:
    """What addresses need, quoted."""
    uploaded = upload(url)
    _until(f"{url}/api/usage", lambda it: it["leads"] == EVENTS // 3)
    letters = _until(f"{url}/api/dead-letters", lambda it: it["items"])
    _until(f"{url}/api/sessions?aggregator=bench&group.account=live", lambda it: it["items"])
    live_key = '["live","data"]'
    some = console_sessions.account(sessions // 8)
    campaign = console_fdds.request(campaigns // 2)
    found = {
        "account": some,
        "rare": console_sessions.RARE,
        "key": f'["{some}","voice"]',
        "key_prefix": f'["{some}"',
        "live_key": live_key,
        "live_id": _live(url),
        "campaign": campaign,
        "called": console_fdds.request(0),
        "uploaded": uploaded,
        "fdd": _first(url, f"/api/campaigns/{campaign}/fdds?limit=1")["id"],
        "called_fdd": _first(
            url, f"/api/campaigns/{console_fdds.request(0)}/fdds?status=COMPLETED&limit=1"
        )["id"],
        "number": _first(url, f"/api/campaigns/{campaign}/fdds?limit=1")["number"],
        "not_called": "+919700000001",
        "day": day,
        "tomorrow": (date.fromisoformat(day) + timedelta(1)).isoformat(),
        "customer": "customer-7",
        "event": _first(url, "/api/funnel?limit=1")["id"],
        "letter": letters["items"][0]["id"],
        "sessions_cursor": _next(url, "/api/sessions?aggregator=bench&limit=50"),
        "fdds_cursor": _next(url, f"/api/campaigns/{campaign}/fdds?limit=50"),
        "campaigns_cursor": _next(url, "/api/campaigns?limit=5"),
    }
    return {name: quote(text, safe="") for name, text in found.items()}


def _first(url: str, path: str) -> Any:
    return json.loads(get(url + path))["items"][0]


def _next(url: str, path: str) -> str:
    return str(json.loads(get(url + path))["next"] or "")


def _live(url: str) -> str:
    return str(_first(url, "/api/sessions?aggregator=bench&group.account=live")["id"])
