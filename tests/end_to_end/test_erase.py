"""`sluice erase` of a running product: sessions, dead letters and evidence, on both streams."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.app.cli.running import Ran, sluice_process
from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until

SECRET = "+4670-1740605"
BRIEF = {"by": "timeout", "timeout": {"duration": {"seconds": 1}}}
WHY = ("--reason", "asked by the customer")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def one(
    request: pytest.FixtureRequest, tmp_path: Path, unique: Callable[[str], str]
) -> Iterator[Sluice]:
    """A process on each stream."""
    made = Sluice(tmp_path / "one")
    if request.param == "kafka":
        app = unique("app")
        made = Sluice(
            tmp_path / "one",
            ("worker", "--role", "all"),
            {
                "SLUICE_STREAM": request.getfixturevalue("kafka"),
                "SLUICE_APP_ID": app,
                "SLUICE_TOPIC_PREFIX": f"{app}.",
                "SLUICE_SESSION_TIMEOUT_S": "3",
            },
        )
    try:
        yield made.start()
    finally:
        made.close()


def of_account(account: str) -> list[Any]:
    """Two good records, one refused, and one that can't be read."""
    good = [{"account": account, "bytes": n} for n in (1, 2)]
    return [*good, {"account": account, "bytes": "many"}]


def begun(one: Sluice) -> None:
    one.apply(aggregator(flush=BRIEF))
    one.send([*of_account(SECRET), *of_account("other")])
    one.send([b'{"account": "%s", "bytes": ' % SECRET.encode()])
    one.send([b'{"account": "other", "bytes": '])
    until(lambda: one.totals() == {"in": 6, "flushed": 4, "rejected": 2})
    until(lambda: len(letters(one)) == 4)


def letters(one: Sluice) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = one.get("/api/dead-letters").body["items"]
    return found


def erase(one: Sluice, *more: str) -> Ran:
    words = ("erase", "acc", f"account={SECRET}", "--server", one.url)
    return sluice_process(*words, *(more or WHY))


def explained(one: Sluice, account: str) -> int:
    (flush,) = {
        record["id"]: record
        for record in one.records("aggregates")
        if record["group"]["account"] == account
    }.values()
    key = json.dumps([account]).replace('"', "%22").replace("+", "%2B")
    told = one.get(f"/api/aggregators/acc/flushes/{flush['id']}/explain?key={key}")
    assert told.status == 200, told
    return len(told.body["records"])


def gone(one: Sluice) -> None:
    """Nothing shows the account any more, all others are as they were."""
    assert one.totals() == {"in": 6, "flushed": 4, "rejected": 2}
    assert len(letters(one)) == 2
    on_topic = [record for record in one.records("dead-letters") if "erased_at" not in record]
    assert len({record["id"] for record in on_topic}) == 2
    assert len(letters(one)) == 2


def test_an_account_goes_with_its_letters_and_evidence(one: Sluice) -> None:
    begun(one)
    embedded = "SLUICE_STREAM" not in one.environ
    assert (explained(one, SECRET), explained(one, "other")) == (2, 2)
    ran = erase(one, "--dry-run")
    evidence = ", 4 source records" if embedded else ""
    figures = f"1 session with 0 records, 2 dead letters{evidence}"
    assert (ran.code, ran.out) == (0, f"{figures} would be erased; nothing was changed\n")
    assert len(letters(one)) == 4
    ran = erase(one)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{figures} erased; command ")
    gone(one)
    assert (explained(one, SECRET), explained(one, "other")) == (0, 2)
    if embedded:
        assert len(list(one.records("usage"))) == 4
    assert erase(one).code == 1  # nothing is left
    one.kill()
    one.start()
    gone(one)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2))
def test_a_kill_in_the_middle_is_completed_by_erasing_again(one: Sluice, seed: int) -> None:
    rng = random.Random(seed)
    begun(one)
    body = json.dumps({"group": {"account": SECRET}, "reason": "asked"}).encode()

    def ask() -> None:
        with suppress(OSError):  # it is killed
            one.ask("POST", "/api/aggregators/acc/sessions/erase", body, Idempotency_Key="k")

    for _ in range(3):
        asking = threading.Thread(target=ask)
        asking.start()
        threading.Event().wait(rng.uniform(0.0, 0.25))  # a moment nobody chose
        one.kill()
        asking.join()
        one.start()
    done = one.ask("POST", "/api/aggregators/acc/sessions/erase", body, Idempotency_Key="k")
    assert done.status in (200, 202), done
    until(lambda: erase(one, "--dry-run").code == 1)
    gone(one)
    if "SLUICE_STREAM" not in one.environ:
        until(lambda: len(list(one.records("usage"))) == 4)
