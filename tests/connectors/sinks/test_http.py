"""Webhooks against a real server that misbehaves."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from connectors.outbound import Outbound
from connectors.sinks.base import Outcome
from connectors.sinks.http import HttpTarget
from domain.sinks.document import Batch, Http
from domain.sinks.records import Outgoing, outgoing
from tests.connectors.sinks.billing import SECRET, Behave, Billing, signature

NEXT = "whsec_" + base64.b64encode(b"the next secret, 24 bytes").decode()
ENVIRON = {"S": SECRET, "S_NEXT": NEXT}
EVENT = {"specversion": "1.0", "id": "e1", "source": "/sluice/a", "type": "t", "data": {"n": 1}}


def record(offset: int, key: str = "k", **more: Any) -> Outgoing:
    value = json.dumps({"id": f"id-{offset}", **more}).encode()
    return outgoing("aggregates", 0, offset, key.encode(), value)


def deliver(
    records: list[Outgoing],
    behave: Behave = lambda _call: 200,
    environ: dict[str, str] = ENVIRON,
    **options: Any,
) -> tuple[Outcome, Billing]:
    """One attempt at these records."""
    billing = Billing(behave)

    async def run() -> Outcome:
        async with billing.serve():
            document = Http(billing.url, options.pop("secrets", ("S",)), **options)
            target = HttpTarget(document, Outbound(loopback=True), environ)
            try:
                return await target.deliver(records, 0, len(records))
            finally:
                await target.close()

    return asyncio.run(run()), billing


def test_a_record_is_posted_as_it_is_signed_and_with_its_id() -> None:
    outcome, billing = deliver([record(3, n=1.50)])
    (call,) = billing.calls
    assert outcome.taken == {3}
    assert call.body == b'{"id": "id-3", "n": 1.5}'
    assert call.headers["webhook-id"] == call.headers["idempotency-key"] == "id-3"
    assert call.headers["webhook-signature"] == signature(call)
    assert abs(int(call.headers["webhook-timestamp"]) - time.time()) < 30
    assert call.headers["content-type"] == "application/json"


def test_two_live_secrets_sign_side_by_side() -> None:
    _, billing = deliver([record(0)], secrets=("S", "S_NEXT"))
    (call,) = billing.calls
    both = [signature(call), signature(call, NEXT)]
    assert call.headers["webhook-signature"].split(" ") == both


def test_a_batch_is_an_array_with_an_id_of_its_own() -> None:
    records = [record(n) for n in range(3)]
    outcome, billing = deliver(records, batch=Batch(10, 1))
    (call,) = billing.calls
    assert outcome.taken == {0, 1, 2}
    assert [each["id"] for each in json.loads(call.body)] == ["id-0", "id-1", "id-2"]
    assert call.headers["webhook-signature"] == signature(call)
    _, again = deliver(records, batch=Batch(10, 1))
    _, other = deliver(records[:2], batch=Batch(10, 1))
    assert again.calls[0].id == call.id != other.calls[0].id


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 425, 301, 302, 303, 307])
def test_what_may_pass_is_tried_later(status: int) -> None:
    outcome, _ = deliver([record(0)], lambda _call: status)
    assert outcome.later is not None
    assert str(status) in outcome.later.detail
    assert (outcome.taken, outcome.refused, outcome.tried) == (set(), {}, {0})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
def test_what_is_refused_for_good_is_told_with_its_status(status: int) -> None:
    outcome, _ = deliver([record(0)], lambda _call: status)
    assert outcome.later is None
    assert outcome.refused[0].status == status
    assert "because" in outcome.refused[0].detail


@pytest.mark.parametrize("how", ["reset", "garbage", "took, then reset"])
def test_a_connection_that_dies_is_tried_later(how: str) -> None:
    outcome, _ = deliver([record(0)], lambda _call: how)
    assert outcome.later is not None
    assert outcome.taken == set()


def test_an_answer_that_takes_too_long_is_tried_later() -> None:
    outcome, _ = deliver([record(0)], lambda _call: "hang", timeout_ms=100)
    assert outcome.later is not None
    assert outcome.later.detail == "no answer in time"


def test_nobody_there_is_tried_later() -> None:
    async def run() -> Outcome:
        async with Billing().serve() as billing:
            url = billing.url
        target = HttpTarget(Http(url, ("S",)), Outbound(loopback=True), ENVIRON)
        outcome = await target.deliver([record(0)], 0, 1)
        await target.close()
        return outcome

    later = asyncio.run(run()).later
    assert later is not None
    assert "onnect" in later.detail


def test_retry_after_is_handed_on() -> None:
    def behave(_call: object) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    outcome, _ = deliver([record(0)], behave)
    assert outcome.later is not None
    assert outcome.later.asked_ms == 7000


def test_an_endless_answer_is_not_read() -> None:
    def behave(_call: object) -> web.Response:
        return web.Response(status=400, body=b"x" * (8 << 20))

    outcome, _ = deliver([record(0)], behave)
    assert len(outcome.refused[0].detail) < 300


def test_only_the_record_at_fault_of_a_batch_is_refused() -> None:
    def behave(call: Any) -> int:
        return 422 if b"id-5" in call.body else 200

    outcome, billing = deliver([record(n) for n in range(8)], behave, batch=Batch(10, 1))
    assert set(outcome.refused) == {5}
    assert outcome.taken == set(range(8)) - {5}
    assert len({call.id for call in billing.calls}) == len(billing.calls)


def test_records_of_one_key_are_in_order_and_wait_for_each_other() -> None:
    seen: list[str] = []

    def behave(call: Any) -> int:
        seen.append(call.id)
        return 503 if call.id == "id-2" else 200

    outcome, _ = deliver([record(n, key=f"k{n % 2}") for n in range(6)], behave)
    assert [one for one in seen if one in ("id-0", "id-2", "id-4")] == ["id-0", "id-2"]
    assert outcome.tried == {2}
    assert 4 not in outcome.taken


def test_cloudevents_are_sent_as_such_structured_binary_and_in_batches() -> None:
    event = outgoing("t", 0, 0, None, json.dumps(EVENT).encode())
    _, structured = deliver([event])
    assert structured.calls[0].headers["content-type"] == "application/cloudevents+json"
    assert json.loads(structured.calls[0].body) == EVENT
    _, batch = deliver([event, event], batch=Batch(10, 1))
    assert batch.calls[0].headers["content-type"] == "application/cloudevents-batch+json"
    assert json.loads(batch.calls[0].body) == [EVENT, EVENT]
    _, binary = deliver([event], cloudevents="binary")
    call = binary.calls[0]
    assert json.loads(call.body) == {"n": 1}
    found = {name: call.headers[f"ce-{name}"] for name in ("specversion", "id", "source", "type")}
    assert found == {name: EVENT[name] for name in found}
    assert call.headers["webhook-signature"] == signature(call)


@pytest.mark.parametrize(
    ("environ", "told"),
    [({}, "S is not set"), ({"S": "not base64!"}, "S is no secret"), ({"S_FILE": "/no"}, "S_FILE")],
)
def test_a_secret_that_is_not_there_is_told_and_never_shown(
    environ: dict[str, str], told: str
) -> None:
    outcome, billing = deliver([record(0)], environ=environ)
    assert outcome.later is not None
    assert told in outcome.later.detail
    assert "not base64!" not in outcome.later.detail
    assert billing.calls == []


def _redirected(to: Callable[[str], str]) -> tuple[Outcome, Billing, Billing]:
    async def run() -> tuple[Outcome, Billing, Billing]:
        other = Billing()
        async with other.serve():

            def behave(call: Any) -> object:
                if call.number:
                    return 200
                return web.Response(status=307, headers={"Location": to(other.url)})

            async with Billing(behave).serve() as billing:
                target = HttpTarget(Http(billing.url, ("S",)), Outbound(loopback=True), ENVIRON)
                outcome = await target.deliver([record(0)], 0, 1)
                await target.close()
                return outcome, billing, other

    return asyncio.run(run())


def test_a_redirect_to_another_host_is_not_followed_one_on_the_same_is() -> None:
    outcome, _, other = _redirected(lambda url: url)
    assert outcome.later is not None
    assert "not followed" in outcome.later.detail
    assert other.calls == []
    outcome, billing, _ = _redirected(lambda _url: "/hooks?again")
    assert outcome.taken == {0}
    assert len(billing.calls) == 2


def test_an_address_that_must_not_be_reached_is_not() -> None:
    async def run(url: str, outbound: Outbound) -> str:
        target = HttpTarget(Http(url, ("S",)), outbound, ENVIRON)
        outcome = await target.deliver([record(0)], 0, 1)
        await target.close()
        return outcome.later.detail if outcome.later else ""

    async def all_of_them() -> None:
        async with Billing().serve() as billing:
            for url in (billing.url, billing.url.replace("127.0.0.1", "localhost")):
                assert "SLUICE_OUTBOUND_ALLOW" in await run(url, Outbound())
            metadata = "http://169.254.169.254/latest"
            assert "SLUICE_OUTBOUND_ALLOW" in await run(metadata, Outbound(loopback=True))
            assert billing.calls == []

    asyncio.run(all_of_them())
