"""Workers of separate roles on Kafka keep and order campaigns; one takes over from another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.running import Sluice
from tests.end_to_end.test_campaigns_run import ROWS, ended, orders, upload
from tests.waiting import until

pytestmark = pytest.mark.kafka


def test_a_worker_that_is_killed_leaves_its_campaigns_to_the_other(
    kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "3",
    }
    roles = {"one": "campaigns,console", "two": "campaigns,execute,retrigger,console"}
    one, two = (
        Sluice(tmp_path / name, ("worker", "--role", role), environ) for name, role in roles.items()
    )
    try:
        one.start()
        two.start()
        upload(two)
        until(lambda: len(ended(two)) > ROWS // 4, 90)
        one.kill()
        until(lambda: len(ended(two)) > ROWS // 2, 90)
        one.start()
        two.kill()
        two.start()
        until(lambda: len(ended(two)) == ROWS, 90)
        assert orders(two) == ended(two)
        assert not two.records("dead-letters")
    finally:
        one.close()
        two.close()
