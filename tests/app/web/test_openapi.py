"""The description of the HTTP interface held against the running product: schemathesis asks every
operation what its description allows, and what it doesn't.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis import checks as known
from schemathesis.core.result import Ok

from app.web import api, openapi
from app.web.routes import Route
from tests.browser.console import Console

EXAMPLES = 3  # of each kind and operation; the whole of it takes half a minute
CHECKS = [
    known.not_a_server_error,
    known.status_code_conformance,
    known.content_type_conformance,
    known.response_schema_conformance,
]
DESCRIBED = schemathesis.openapi.from_dict(openapi.build(api.ROUTES))
OPERATIONS = {
    found.ok().label: found.ok()
    for found in DESCRIBED.get_all_operations()
    if isinstance(found, Ok)
}


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    with Console("little") as running:
        yield running


def label(route: Route) -> str:
    return f"{route.method} {openapi.path_of(route)}"


def test_every_route_is_asked() -> None:
    assert OPERATIONS.keys() == {label(route) for route in api.ROUTES}


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_described_whatever_is_asked(name: str, console: Console) -> None:
    operation = OPERATIONS[name]
    good, bad = (
        operation.as_strategy(generation_mode=mode)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )

    @settings(
        max_examples=2 * EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=good | bad)
    def holds(case: Any) -> None:
        case.call_and_validate(base_url=console.url, checks=CHECKS, timeout=20)

    holds()
