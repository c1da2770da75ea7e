"""A real worker with everything outside it broken: what its console tells doctor."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from tests.app.cli.running import Ran
from tests.app.cli.server import problem, serving
from tests.app.doctor.kit import doctor, fault, found, wrong
from tests.connectors.sinks.billing import SECRET
from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until

PATIENCE_S = 60.0
RETRY = {"first": "100ms", "most": "200ms", "times": 1000}


@contextmanager
def unknown_authority() -> Iterator[str]:
    """An HTTPS server whose certificate nobody knows."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    httpd.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    httpd.socket = context.wrap_socket(
        httpd.socket, server_side=True, do_handshake_on_connect=False
    )
    httpd.handle_error = lambda *_: None  # type: ignore[method-assign]  # that they hang up is wanted
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://localhost:{httpd.server_address[1]}/hook"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def sink(name: str, url: str) -> dict[str, Any]:
    return {"kind": "sink", "name": name, "http": {"url": url, "secret": "HOOK"}, "retry": RETRY}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """What is said of a worker without the roles that own state, whose targets and sources fail,
    and that was given a document that doesn't validate."""
    folder = tmp_path_factory.mktemp("broken")
    given = {"HOOK": SECRET, "EXPIRED": "a-token-for-tests"}
    worker = Sluice(folder, ("worker", "--role", "route,sinks,metrics,console"), given)
    try:
        with unknown_authority() as untrusted, serving() as service:
            service.routes["GET /items"] = problem(401, "The token has expired.")
            worker.start()
            document = {
                "kind": "source", "name": "items", "connector": "http_json",
                "base_url": service.url, "credentials": {"token": "EXPIRED"},
                "schedule": "0 0 1 1 *", "fetch": {"path": "/items", "key": "id"},
                "retry": {"times": 0},
            }  # fmt: skip
            for each in (sink("away", "http://127.0.0.1:9/hook"), sink("other", untrusted)):
                assert worker.apply(each).status < 300, worker.apply(each)
            assert worker.apply(document).status < 300, worker.apply(document)
            refused = {"kind": "aggregator", "name": "odd", "document": {"kind": "aggregator"}}
            assert worker.send([json.dumps(refused).encode()], "config").status < 300
            assert worker.send([{"id": "r1"}], "aggregates").status < 300
            asked = worker.ask("POST", "/api/metrics/sources/items/fetch", b"{}",
                               Content_Type="application/json")  # fmt: skip
            assert asked.status < 300, asked
            wanted = {"sink-failing", "source-failing", "document", "shards-not-ready"}

            def told() -> Ran | None:
                ran = doctor(folder / "data", server=worker.url)
                sinks = sum(check["name"] == "sink-failing" for check in ran.json["checks"])
                return ran if wanted <= wrong(ran) and sinks == 2 else None

            ran = until(told, PATIENCE_S, "all of it is told")
            assert ran is not None
            yield ran
    finally:
        worker.close()


@fault("sink's endpoint away")
def test_an_endpoint_that_is_away(broken: Ran) -> None:
    found(broken, "sink-failing", "Sink away does not reach")


@fault("sink's certificate of an authority that isn't trusted")
def test_an_endpoint_that_is_not_trusted(broken: Ran) -> None:
    assert "certificate" in found(broken, "sink-failing", "Sink other")["detail"].lower()


@fault("source's token expired")
def test_a_token_that_expired(broken: Ran) -> None:
    check = found(broken, "source-failing", "Source items can't be fetched")
    assert "401" in check["detail"]
    assert "credentials" in check["todo"]
    assert "a-token-for-tests" not in broken.out


@fault("document that was refused")
def test_a_document_that_was_refused(broken: Ran) -> None:
    check = found(broken, "document", "config partition 0 offset")
    assert "sluice config apply" in check["todo"]


@fault("partition without an owner")
def test_a_partition_without_an_owner(broken: Ran) -> None:
    assert "role aggregate" in found(broken, "shards-not-ready")["todo"]


def test_a_system_at_work_is_well_and_a_mended_document_forgotten(tmp_path: Path) -> None:
    up = Sluice(tmp_path).start()
    try:
        refused = {"kind": "aggregator", "name": "acc", "document": {"kind": "aggregator"}}
        up.send([json.dumps(refused).encode()], "config")
        until(lambda: "document" in wrong(doctor(tmp_path / "data", server=up.url)), PATIENCE_S)
        up.apply(aggregator())
        ran = doctor(tmp_path / "data", server=up.url)
        assert (ran.code, wrong(ran)) == (0, set())
        notes = {check["name"] for check in ran.json["checks"] if check["state"] == "warning"}
        assert notes <= {"dead-letters"}
    finally:
        up.close()
