"""Sources and hooks over HTTP."""

import json
from typing import Any

import pytest

from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, visit


def post(
    path: str, backend: FakeBackend | None = None, body: str = "", **headers: str
) -> tuple[int, Any]:
    async def steps(client: Client) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await client.post(path, data=body, headers=named)
        return response.status, json.loads(await response.text())

    return visit(steps, backend)


def test_sources_are_listed_with_what_is_wrong() -> None:
    status, text = get("/api/metrics/sources")
    deals, stars = json.loads(text)["items"]
    assert status == 200 and deals["last_error"].startswith("answered 503")
    assert list(stars) == [
        "name", "connector", "cursor", "last_fetch", "last_error", "next_run", "running",
        "quota_left",
    ]  # fmt: skip
    assert (stars["last_fetch"], stars["quota_left"]) == ("2023-11-14T22:13:20.000Z", 4987)
    assert json.loads(get("/api/metrics/sources/stars")[1]) == stars
    assert get("/api/metrics/sources/nope")[0] == 404


def test_a_fetch_is_accepted_and_followed() -> None:
    backend = FakeBackend()
    status, told = post("/api/metrics/sources/data-per-account/fetch", backend)
    assert (status, told["id"], told["state"]) == (202, "f-1", "waiting")
    body = json.dumps({"from": "2024-01-01", "to": "2024-02-01"})
    assert post("/api/metrics/sources/data-per-account/fetch", backend, body)[0] == 202
    assert post("/api/metrics/sources/data-per-account/test", backend)[0] == 202
    assert backend.fetches == [
        ("data-per-account", None, None, False),
        ("data-per-account", 1_704_067_200_000, 1_706_745_600_000, False),
        ("data-per-account", None, None, True),
    ]
    status, text = get("/api/metrics/sources/data-per-account/fetches/f-1?wait=1", backend)
    assert (status, json.loads(text)["state"]) == (200, "done")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"from":"x","to":"2024-01-01"}', 422),
        ('{"from":"2024-01-02","to":"2024-01-01"}', 422),
        ('{"from":"2024-01-01"}', 422),
        ("{", 400),
    ],
)
def test_times_that_cannot_be_read_are_refused(body: str, status: int) -> None:
    assert post("/api/metrics/sources/data-per-account/fetch", None, body)[0] == status
    assert post("/api/metrics/sources/nope/fetch")[0] == 404


def test_a_hook_answers_202_200_and_401_for_whatever_host() -> None:
    good = "sha256=good"
    told = post("/hooks/stars", X_Hub_Signature_256=good, Host="hooks.example")
    assert told == (202, {"receipt": "taken"})
    assert post("/hooks/stars", X_Hub_Signature_256=good, X_GitHub_Delivery="seen")[0] == 200
    assert post("/hooks/stars", X_Hub_Signature_256="sha256=bad")[0] == 401
    assert post("/hooks/other", X_Hub_Signature_256=good)[0] == 404
