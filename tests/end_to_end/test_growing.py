"""Partitions grow at a running system while records pour in."""

from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.app.cli.running import sluice as cli
from tests.end_to_end.running import Sluice, aggregator
from tests.end_to_end.test_embedded import Make, clock, make  # fixtures
from tests.waiting import until

__all__ = ["clock", "make"]


def pour(sluice: Sluice, sent: list[dict[str, Any]], enough: Event) -> None:
    """Sends records of a hundred accounts until there are enough."""
    while not enough.is_set():
        part = [{"account": f"a{n}", "bytes": 1} for n in range(100)]
        sluice.send(part)
        sent += part


def test_partitions_grow_while_records_pour_in(make: Make, clock: Path) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"}).start()
    sluice.apply(aggregator())
    sluice.send([{"account": f"a{n}", "bytes": 1} for n in range(100)])
    until(lambda: sluice.totals() == {"in": 100, "open": 100}, 60)
    sent: list[dict[str, Any]] = []
    enough = Event()
    pouring = Thread(target=pour, args=(sluice, sent, enough))
    pouring.start()
    try:
        ran = cli("topics", "grow", "7", "--reason", "room", "--json", server=sluice.url)
    finally:
        enough.set()
        pouring.join()
    assert ran.code == 0, ran.err
    assert (ran.json["state"], ran.json["inputs"]) == ("finished", ["usage"])
    topics = {t["name"]: t["partitions"] for t in sluice.get("/api/topics").body["items"]}
    assert topics["usage"] == topics["sluice-sessions-in"] == 7
    count = 100 + len(sent)
    until(lambda: sluice.totals() == {"in": count, "open": count}, 60)
    rows = sluice.get("/api/aggregators/acc/sessions?limit=200").body["items"]
    assert len(rows) == 100  # none in two places
    sluice.kill()
    sluice.start()
    sluice.send([{"account": f"a{n}", "bytes": 1} for n in range(100)])
    until(lambda: sluice.totals() == {"in": count + 100, "open": count + 100}, 60)
    again = cli("topics", "grow", "5", "--reason", "less", server=sluice.url)
    assert again.code != 0
    assert "8 to 1000" in again.err
