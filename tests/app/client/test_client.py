"""The typed client against a running server: each operation by its id."""

import inspect
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.client import Client, Refused, ServerUnreachable
from app.web import api, openapi
from app.web.routes import Route
from scripts.house import client as generator
from tests.browser.console import Console

OPERATIONS = {openapi.operation_id(route): route for route in api.ROUTES}


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    with Console("little") as running:
        yield running


def test_the_code_is_current() -> None:
    assert generator.stale() == [], "scripts/docs writes it anew"


def test_there_is_a_method_for_each_operation_and_no_other() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction)}
    public = {name for name in methods if not name.startswith("_")} - {"close"}
    assert public == OPERATIONS.keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_reaches_its_route_and_understands_the_answer(
    name: str, console: Console
) -> None:
    """With made up arguments: answered by its type, or refused by the operation itself."""
    route = OPERATIONS[name]
    with Client(console.url) as client:
        method = getattr(client, name)
        try:
            told = method(**arguments(method, route))
        except Refused as refused:
            assert refused.status in (400, 401, 404, 409, 415, 422, 503), refused
            assert "Nothing lives at this address" not in refused.detail
            return
    kinds = [each.type for each in route.answers.values() if each.type is not None]
    if kinds:
        assert isinstance(told, tuple(kinds))
        assert isinstance(msgspec.to_builtins(told, enc_hook=str), dict)
    else:
        assert told is None if 204 in route.answers else isinstance(told, bytes)


def arguments(method: Any, route: Route) -> dict[str, Any]:
    """Something for each parameter, by its type."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is parameter.empty:
            kinds = {"file": b"number\n+919876543210\n", "description": {"flow": "reminder"}}
            given[name] = kinds.get(name, "x y/ä")
    return given


def test_figures_are_exact_and_records_go_in_and_out(console: Console) -> None:
    with Client(console.url) as client:
        done = client.post_api_topics_topic_records(
            "usage", [{"account": "a", "bytes": Decimal("1.10")}, 5], key=["account"]
        )
        assert done.accepted == 1
        assert [(each.index, each.reason) for each in done.rejected] == [(1, "undecodable")]
        (record,) = client.get_api_topics_topic_records("usage", from_="beginning").records[-1:]
        assert record.value["bytes"] == Decimal("1.10")
        lines = client.post_api_topics_topic_records(
            "usage", b'{"a":1}\n{"a":2}\n', media="application/x-ndjson"
        )
        assert lines.accepted == 2


def test_fields_and_lists_are_asked_for_by_name(console: Console) -> None:
    with Client(console.url) as client:
        all_of_them = client.get_api_aggregators_name_sessions("data-per-account").items
        (one,) = client.get_api_aggregators_name_sessions(
            "data-per-account", group={"account": "acc-0000001"}
        ).items
        assert len(all_of_them) == 3 and one in all_of_them


def test_an_upload_says_what_it_would_make_or_where_it_went(console: Console) -> None:
    file, about = b"number\n+919876543210\n", {"flow": "reminder"}
    with Client(console.url) as client:
        done = client.post_api_campaigns(file, about, idempotency_key="once")
        again = client.post_api_campaigns(file, about, idempotency_key="once")
        assert done == again


def test_what_is_refused_says_where(console: Console) -> None:
    with Client(console.url) as client:
        with pytest.raises(Refused) as refused:
            client.put_api_documents_kind_name("aggregator", "x", {"ttl_days": 0})
        assert refused.value.status == 422
        assert {path for path, _ in refused.value.errors} > {"ttl_days"}


def test_who_is_not_there_or_not_known_is_told(console: Console) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(ServerUnreachable):
        client.get_health_live()
    with Client(console.url, token="wrong") as client, pytest.raises(Refused) as refused:
        client.get_api_topics()
    assert refused.value.status == 401
