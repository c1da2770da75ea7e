"""Digests over HTTP."""

import json

from tests.app.web.site import get
from tests.app.web.test_metric_sources import post

DIGESTS = "/api/metrics/digests"


def test_digests_are_listed_with_what_waits() -> None:
    status, text = get(DIGESTS)
    daily, weekly = json.loads(text)["items"]
    assert status == 200
    assert list(daily) == [
        "name", "every", "at", "timezone", "to", "first", "sent", "next", "waiting",
    ]  # fmt: skip
    assert daily["waiting"] == [
        {"id": "digest:daily/day/2025-11-01", "to": "ann@example.com",
         "detail": "the mail server: no"}
    ]  # fmt: skip
    assert (weekly["first"], weekly["sent"], weekly["waiting"]) == (None, None, [])


def test_a_digest_is_sent_now_or_it_is_said_why_not() -> None:
    status, told = post(f"{DIGESTS}/daily/send", Idempotency_Key="k")
    assert (status, told["first"], told["to"]) == (202, "2025-11-02", ["ann@example.com"])
    body = json.dumps({"date": "2025-10-01"})
    assert post(f"{DIGESTS}/daily/send", None, body)[1]["last"] == "2025-10-01"
    assert post(f"{DIGESTS}/daily/send", None, '{"date":"soon"}')[0] == 400
    assert post(f"{DIGESTS}/nope/send")[0] == 404
    status, told = post(f"{DIGESTS}/weekly/send")
    assert status == 409 and "nobody in `to`" in told["detail"]
