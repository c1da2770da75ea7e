"""Campaigns and FDDs read over HTTP."""

import json
from typing import Any

import pytest

from tests.app.web import campaign_made as made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, problem, visit

ONE = made.request_id(0)


def told(path: str, backend: FakeBackend | None = None) -> Any:
    status, text = get(path, backend)
    assert status == 200, text
    return json.loads(text)


def test_the_tabs_do_not_follow_the_search() -> None:
    everything = told("/api/campaigns")
    some = told("/api/campaigns?q=dues+1&status=Negative+upload&day=2025-11-04")
    assert len(everything["items"]) == 3
    assert [one["name"] for one in some["items"]] == ["dues 1"]
    assert some["items"][0]["day"] == "2025-11-04"
    assert some["tabs"] == everything["tabs"]
    assert everything["next"] is None


def test_lists_go_on_where_they_ended() -> None:
    backend = FakeBackend("big")
    first = told("/api/campaigns?limit=2", backend)
    second = told(f"/api/campaigns?limit=2&cursor={first['next']}", backend)
    assert [one["name"] for one in second["items"]] == ["dues 2", "dues 3"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/campaigns?status=Done",
        "/api/campaigns?day=tomorrow",
        "/api/campaigns?day=2025-02-30",
        f"/api/campaigns/{ONE}/fdds?status=DONE",
        f"/api/campaigns/{ONE}/rejections?format=xml",
        f"/api/campaigns/{ONE}/leftovers?format=json",
        "/api/fdds",
        "/api/campaigns/reports/raw?format=pdf",
    ],
)
def test_a_parameter_that_can_not_be_is_named(path: str) -> None:
    async def steps(client: Client) -> None:
        told = await problem(await client.get(path), 400, "bad-parameter")
        errors: Any = told["errors"]
        assert errors[0]["path"] in path + "number"

    visit(steps)


@pytest.mark.parametrize(
    "path",
    [
        "/api/campaigns/reminder-00000000000000ff",
        "/api/campaigns/nobody/fdds",
        "/api/campaigns/nobody/rejections",
        "/api/campaigns/nobody/rejections?format=csv",
        "/api/campaigns/nobody/rejections?format=rows",
        "/api/campaigns/nobody/leftovers",
        "/api/campaigns/nobody/negatives",
        "/api/campaigns/reports/raw?request_id=nobody",
        "/api/campaigns/commands/nobody",
        "/api/fdds/nobody",
        "/api/fdds/nobody/why",
    ],
)
def test_what_nobody_has_heard_of_is_not_found(path: str) -> None:
    async def steps(client: Client) -> None:
        await problem(await client.get(path), 404, "not-found")

    visit(steps)


def test_fdds_are_found_by_slot_status_and_number() -> None:
    backend = FakeBackend()
    path = f"/api/campaigns/{ONE}/fdds?day={made.DAY}&slot=10:00-12:00&status=IN_PROGRESS"
    items = told(path, backend)["items"]
    assert [one["record_no"] for one in items] == [1, 7]
    told(f"/api/campaigns/{ONE}/fdds?number=+919876500003", backend)
    assert backend.asked[-1] == ("fdds", {"number": "+919876500003"})


def test_a_person_is_found_over_all_campaigns() -> None:
    for number in ("%2B919876500003", "+919876500003"):
        items = told(f"/api/fdds?number={number}")["items"]
        assert {one["request_id"] for one in items} == set(map(made.request_id, range(3)))
    assert get("/api/fdds?number=9876500003")[0] == 400


def test_an_fdd_tells_why() -> None:
    fdd_id = made.fdd(0, 2)["id"]
    assert told(f"/api/fdds/{fdd_id}")["reason"] == "OUT_OF_SLOT"
    why = told(f"/api/fdds/{fdd_id}/why")
    assert why["rules"][-1]["decided"] == "FAILED OUT_OF_SLOT"


def test_rejections_come_as_json_csv_and_rows() -> None:
    path = f"/api/campaigns/{ONE}/rejections"
    assert told(path)["items"][0] == made.rejection(0)
    assert get(path + "?format=csv")[1].splitlines() == [
        "row,column,code,value",
        "1,number,bad_number,abc0",
        "8,number,bad_number,abc1",
    ]
    assert get(path + "?format=rows")[1] == "number,name\r\nabc0,A\r\nabc1,B\r\n"


def test_leftovers_are_a_file_with_the_columns_as_uploaded() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        response = await client.get(f"/api/campaigns/{ONE}/leftovers?day={made.DAY}&format=csv")
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        assert (await response.text()).startswith("number,name\r\n")

    visit(steps, backend)
    assert backend.asked == [("leftovers", made.DAY)]
