"""The same line is not told again and again."""

import asyncio
import io
import logging
from typing import Any, cast

import pytest

from app.cluster.peers import Peers
from app.logs import REPEATING
from app.repeats import Repeats
from tests.app.cluster.test_peers import Some


def test_a_line_is_told_once_in_a_while_with_how_many_were_left_out() -> None:
    out, now = io.StringIO(), [0.0]
    handler = logging.StreamHandler(out)
    handler.addFilter(Repeats(["aiokafka"], 10.0, lambda: now[0]))

    def say(name: str, text: str, at_s: float) -> None:
        now[0] = at_s
        record = logging.LogRecord(name, logging.ERROR, "", 0, "%s", (text,), None)
        handler.handle(record)

    for at_s in range(21):
        say("aiokafka.fetcher", "away", at_s)
        say("app.x", "ours", at_s)
    say("aiokafka.fetcher", "back", 20)
    lines = out.getvalue().splitlines()
    theirs = [line for line in lines if line != "ours"]
    assert theirs == [
        "away",
        "away (9 more like it before)",
        "away (9 more like it before)",
        "back",
    ]
    assert lines.count("ours") == 21


def test_it_remembers_a_bounded_number_of_lines() -> None:
    filters = Repeats(["aiokafka"], 10.0, lambda: 0.0)
    for number in range(3_000):
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, f"{number}", None, None)
        assert filters.filter(record)
    assert len(filters._told) <= 500


def test_a_worker_that_does_not_answer_is_told_of_once_in_a_while_whatever_it_is_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask() -> None:
        some = Some("http://127.0.0.1:9", "http://127.0.0.1:9")
        asking = Peers(cast(Any, some), {})
        for question in ("figures", "totals", "figures"):
            assert await asking.ask_others(question, {}) == []
        await asking.stop()

    asyncio.run(ask())
    passes = Repeats(REPEATING, 10.0, lambda: 0.0)
    told = [record for record in caplog.records if record.name == "app.cluster.peers"]
    assert [passes.filter(record) for record in told] == [True, False, False]
