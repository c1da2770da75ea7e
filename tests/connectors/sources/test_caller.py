"""Calls of sources: what is tried again, how long is waited, and what is never asked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from connectors.outbound import Outbound
from connectors.sources.caller import Answer, Caller
from connectors.sources.errors import CallFailed
from domain.metrics.source import Budget
from domain.sinks.document import Retry
from tests.connectors.sources.service import Service

NOW_S = 1_700_000_000.0


@dataclass
class Time:
    """A clock that sleeping moves."""

    now_s: float = NOW_S
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def wall_s(self) -> float:
        return self.now_s


class Scripted(Service):
    """Answers one after the other; the last one for ever."""

    def __init__(self, *answers: Callable[[], web.Response]) -> None:
        super().__init__()
        self.answers = list(answers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        make = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return make()


def says(status: int, text: str = "{}", **headers: str) -> Callable[[], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(status=status, text=text, headers=named)


def calling(
    service: Service,
    work: Callable[[Caller, str], Awaitable[Any]],
    *,
    times: int = 3,
    budget: Budget | None = None,
    outbound: Outbound | None = None,
) -> tuple[Any, Time]:
    time = Time()

    async def run() -> Any:
        caller = Caller(
            outbound or Outbound(loopback=True), Retry(1_000, 8_000, times), budget,
            sleep=time.sleep, wall_s=time.wall_s,
        )  # fmt: skip
        try:
            async with service.serve() as url:
                return await work(caller, url)
        finally:
            await caller.close()

    return asyncio.run(run()), time


async def ask(caller: Caller, url: str) -> Answer:
    return await caller.call("GET", f"{url}/x?token=secret")


def test_what_fails_is_tried_again_later_each_time_and_then_given_up() -> None:
    service = Scripted(says(503, "busy"))
    with pytest.raises(CallFailed, match=r"/x answered 503: busy, 4 times") as error:
        calling(service, ask)
    assert (error.value.status, service.requests) == (503, 4)
    assert "secret" not in str(error.value)


def test_waits_double_with_jitter() -> None:
    _, time = calling(Scripted(says(500), says(500), says(500), says(200)), ask)
    assert all(low <= s <= 2 * low for s, low in zip(time.slept, (0.5, 1, 2), strict=True))


@pytest.mark.parametrize(
    ("first", "least"),
    [
        (says(429, Retry_After="30"), 30),
        (says(503, Retry_After="Tue, 14 Nov 2023 22:14:20 GMT"), 60),
        (says(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="1700000090"), 90),
        (says(429, x_rate_limit_remaining="0", x_rate_limit_reset="1700000045"), 45),
        (says(429, RateLimit_Remaining="0", RateLimit_Reset="7"), 7),
    ],
)
def test_what_the_service_asks_for_wins(first: Callable[[], web.Response], least: int) -> None:
    _, time = calling(Scripted(first, says(200)), ask)
    (slept,) = time.slept
    assert least <= slept <= least + 1


def test_a_limit_that_is_used_up_is_waited_for_before_the_next_call() -> None:
    used_up = says(200, X_RateLimit_Remaining="0", X_RateLimit_Reset="1700000500")
    service = Scripted(used_up, says(200, X_RateLimit_Remaining="60"))

    async def twice(caller: Caller, url: str) -> int | None:
        await ask(caller, url)
        assert caller.quota_left == 0
        await ask(caller, url)
        return caller.quota_left

    left, time = calling(service, twice)
    assert left == 60 and 500 <= time.slept[0] <= 501 and service.requests == 2


def test_a_budget_is_kept() -> None:
    async def five(caller: Caller, url: str) -> None:
        for _ in range(5):
            await ask(caller, url)

    _, time = calling(Scripted(says(200)), five, budget=Budget(2, 60_000))
    assert time.slept == pytest.approx([60, 60], abs=1)


def test_a_refusal_is_not_tried_again() -> None:
    service = Scripted(says(401, "bad credentials"))
    with pytest.raises(CallFailed, match="answered 401: bad credentials"):
        calling(service, ask)
    assert service.requests == 1


def test_a_redirect_to_another_host_is_refused_one_on_the_same_followed() -> None:
    with pytest.raises(CallFailed, match=r"redirect to other\.example is not followed"):
        calling(Scripted(says(302, Location="https://other.example/x")), ask)
    answer, _ = calling(Scripted(says(302, Location="/y"), says(200, "here")), ask)
    assert answer.body == b"here"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.example/x", "plain http goes to loopback only"),
        ("https://10.0.0.8/x", "not a public address"),
        ("https://169.254.169.254/latest", "not a public address"),
    ],
)
def test_addresses_that_are_not_public_are_not_asked(url: str, said: str) -> None:
    with pytest.raises(CallFailed, match=said):
        calling(Scripted(says(200)), lambda caller, _: caller.call("GET", url))


def test_loopback_is_refused_when_the_console_listens_elsewhere() -> None:
    service = Scripted(says(200))
    with pytest.raises(CallFailed, match="not a public address"):
        calling(service, ask, outbound=Outbound())
    assert service.requests == 0
