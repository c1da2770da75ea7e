"""Two workers on Kafka, and 20 people who look at live pages, ten at each. One worker is killed:
the pages of the other go on, those of the killed one go on there, and every figure is right.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.end_to_end.running import Sluice
from tests.end_to_end.test_insight_kafka import CUSTOMERS, SPAN, figures, funnel, put, states
from tests.end_to_end.viewers import Viewer, all_have
from tests.waiting import until

pytestmark = pytest.mark.kafka
VIEWERS, ROUNDS = 20, 6
PAGES = ("/", "/processes", "/funnel", f"/usage?{SPAN}", "/campaigns")
TAKE_OVER_S = 60.0  # 3 s of patience and a rebalance, on a machine that is busy with other tests


def test_twenty_viewers_go_on_when_one_of_two_workers_is_killed(
    kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "3",
        "SLUICE_PARTITIONS": "2",
    }
    one, two = (
        Sluice(tmp_path / name, ("worker", "--role", "campaigns,console"), environ)
        for name in ("one", "two")
    )
    viewers: list[Viewer] = []
    try:
        one.begin()
        two.begin()
        one.begun()
        two.begun()
        until(lambda: _settled(one, two), 60, "each knows the other")
        put(one, 0)
        until(lambda: figures(one) == figures(two) == (CUSTOMERS, CUSTOMERS, 3), 60, "both tell")
        for n in range(VIEWERS):
            urls = [one.url, two.url] if n % 2 else [two.url, one.url]
            viewers.append(Viewer(PAGES[n // 2 % len(PAGES)], urls))
            viewers[-1].start()
        until(lambda: all_have(viewers, _looks), 60, "all look, and have loaded the page")
        killed, living = viewers[1::2], viewers[0::2]
        put(one, 1)
        one.kill()
        for round_ in range(2, ROUNDS):
            put(two, round_)
        whole = CUSTOMERS, CUSTOMERS * ROUNDS, 3
        until(lambda: all_have(killed, lambda v: v.seen.streams[-1][0] == two.url), TAKE_OVER_S,
              "who looked at the killed one looks at the other")  # fmt: skip
        until(lambda: figures(two) == whole, TAKE_OVER_S, "the figures are the truth")
        marks = [(viewer, viewer.seen.streams[-1][1]) for viewer in viewers]
        until(lambda: all(v.seen.streams[-1][1] > had for v, had in marks), 60, "all go on")
        for viewer in living:  # never cut off
            assert [stream[0] for stream in viewer.seen.streams] == [two.url]
        assert [bad for viewer in viewers for bad in viewer.seen.bad] == []
        until(lambda: _agree(viewers, two), 60, "all see the same, which is what is true")
        ids = funnel(two)
        assert len(ids) == len(set(ids)) == CUSTOMERS * ROUNDS
        assert not two.records("dead-letters")
    finally:
        for viewer in viewers:
            viewer.stop()
        one.close()
        two.close()


def _settled(*workers: Sluice) -> bool:
    """Whether each knows all; one that was fenced off by another's start begins afresh."""
    try:
        return all(len(states(worker)) == len(workers) for worker in workers)
    except URLError:
        return False


def _looks(viewer: Viewer) -> bool:
    return viewer.seen.loaded > 0 and len(viewer.seen.pieces) > 1


def _agree(viewers: list[Viewer], worker: Sluice) -> bool:
    """Whether viewers of a page have the same before them, and those of figures the truth."""
    told: dict[str, Any] = worker.get(f"/api/usage?{SPAN}").body
    usage = [v.seen.pieces.get("figures", "") for v in viewers if v.path.startswith("/usage")]
    assert len(usage) == 4 and len(set(usage)) == 1, usage
    assert f">{told['leads']:,}<" in usage[0] and f">{told['reached']:,}<" in usage[0], usage[0]
    events = [v.seen.pieces.get("events", "") for v in viewers if v.path == "/funnel"]
    assert len(events) == 4 and len({piece.count("<tr") for piece in events}) == 1
    return True
