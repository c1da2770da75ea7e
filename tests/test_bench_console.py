"""The bench of the console knows every page and query of the product."""

import string
from collections.abc import Iterator

import pytest

from app.web import api, pages
from bench.console_asked import ASKED, LEFT_OUT, STREAMED, plain

ALL = [*ASKED.items(), *STREAMED.items()]


def routes() -> Iterator[str]:
    """The GET routes of the product, by its own table."""
    for route in api.ROUTES:
        if route.method == "GET":
            yield plain(route.path)
    for page in (*pages.PAGES, *pages.BESIDE):
        for method, path, _ in page.handlers:
            if method == "GET":
                yield plain(path)


def test_every_route_that_is_read_is_measured_or_left_out_for_a_reason() -> None:
    known = [*ASKED, *STREAMED, *LEFT_OUT]
    assert len(known) == len(set(known))
    assert set(routes()) == set(known)


@pytest.mark.parametrize(("route", "addresses"), ALL, ids=[route for route, _ in ALL])
def test_addresses_are_of_their_route(route: str, addresses: tuple[str, ...]) -> None:
    assert addresses
    wanted = route.split("/")
    for address in addresses:
        parts = address.partition("?")[0].split("/")
        assert len(parts) == len(wanted) or "{key}" in route
        for part, name in zip(parts, wanted, strict=False):
            assert part == name or "{" in name or string.Formatter().parse(part)


def test_a_route_is_named_without_what_its_places_may_be() -> None:
    assert plain("/campaigns/{id}/{action:pause|resume}") == "/campaigns/{id}/{action}"
    assert plain("/api/tables/{table}/{key:.+}") == "/api/tables/{table}/{key}"
