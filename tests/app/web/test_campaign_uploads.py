"""Uploading files over HTTP."""

import json
from typing import Any

import pytest
from aiohttp import FormData, MultipartWriter

from tests.app.web import campaign_made as made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, problem, visit

CSV = b"number,call_at\n+919876500000,2025-11-03T10:00\n"
DESCRIPTION = {"flow": "reminder", "slots": ["10:00-12:00"]}


def form(description: Any = DESCRIPTION, *, first: str = "file", body: bytes = CSV) -> FormData:
    """A form as a browser or curl sends it."""
    made = FormData()
    parts = ["file", "description"] if first == "file" else ["description", "file"]
    for name in parts:
        if name == "file":
            made.add_field("file", body, filename="dues.csv", content_type="text/csv")
        else:
            made.add_field("description", json.dumps(description))
    return made


@pytest.mark.parametrize("first", ["file", "description"])
def test_a_file_and_its_description_come_in_either_order(first: str) -> None:
    backend = FakeBackend()
    body = CSV + b"+919876500000,\n" * 100_000  # more than any buffer on the way

    async def steps(client: Client) -> None:
        response = await client.post(
            "/api/campaigns", data=form(first=first, body=body), headers={"Idempotency-Key": "k"}
        )
        assert response.status == 202
        assert await response.json() == {"request_id": made.request_id(0), "warnings": []}

    visit(steps, backend)
    ((_, (description, filename, taken, change)),) = backend.asked
    assert (description, filename, taken == body) == (DESCRIPTION, "dues.csv", True)
    assert change.idempotency_key == "k"


def test_a_warning_is_told() -> None:
    async def steps(client: Client) -> None:
        sent = form({**DESCRIPTION, "schedule_column": "call_at"})
        told = await (await client.post("/api/campaigns", data=sent)).json()
        assert told["warnings"][0]["code"] == "schedule_column_ignored"

    visit(steps)


def test_a_repeat_is_answered_alike_and_another_body_refused() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        key = {"Idempotency-Key": "k"}
        first = await client.post("/api/campaigns", data=form(), headers=key)
        again = await client.post("/api/campaigns", data=form(), headers=key)
        assert (again.status, await again.json()) == (202, await first.json())
        other = await client.post("/api/campaigns", data=form(body=CSV * 2), headers=key)
        await problem(other, 422, "idempotency-conflict")

    visit(steps, backend)
    assert len(backend.asked) == 1


def test_a_dry_run_keeps_nothing() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        response = await client.post("/api/campaigns?dry_run=true", data=form())
        assert response.status == 200
        told = await response.json()
        assert told["would_create"] == {"10:00-12:00": 9}
        assert told["fits"] == {"10:00-12:00": True}

    visit(steps, backend)
    assert backend.asked == []


def test_what_is_wrong_in_a_form_is_named() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        post = client.post
        nameless = FormData()
        nameless.add_field("description", json.dumps(DESCRIPTION))
        nameless.add_field("file", "", filename="")
        for sent, path in (
            (form({"flow": "nobody"}), "flow"),
            (form([1]), "description"),
            (_fields(description="{}"), "file"),
            (_fields(file="x"), "description"),
            (_fields(description="{", file="x"), "description"),
            (_fields(descr="{}", file="x"), "descr"),
            (_fields(description="x" * 70_000, file="x"), "description"),
        ):
            told = await problem(await post("/api/campaigns", data=sent), 422, "refused-upload")
            errors: Any = told["errors"]
            assert errors[0]["path"] == path
        response = await post("/api/campaigns", json=DESCRIPTION)
        await problem(response, 415, "unsupported-media-type")
        broken = {"Content-Type": "multipart/form-data"}
        await problem(await post("/api/campaigns", data=b"x", headers=broken), 400, "bad-multipart")
        await problem(
            await post("/api/campaigns?dry_run=perhaps", data=form()), 400, "bad-parameter"
        )

    visit(steps, backend)
    assert backend.asked == []


def _fields(**fields: str) -> MultipartWriter:
    writer = MultipartWriter("form-data")
    for name, text in fields.items():
        part = writer.append(text)
        part.set_content_disposition("form-data", name=name)
    return writer
