"""Numbers on every way out: masked for who may not see them, and audited for who may."""

import io
import re
from collections.abc import Callable, Mapping, Sequence

import openpyxl
import pytest

from app.people.people import People
from app.trail.trail import MemoryTrail
from app.web.audited import TRAIL
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.fake import FakeBackend
from tests.app.web.signing import among_people, bearer
from tests.app.web.site import PERSON, Client, get

NUMBER = re.compile(r"(?:\+|%2B)[1-9][0-9]{6,14}(?![0-9])")
FDD = "reminder-0000000000000000.20251103.1000_1200.1.1"
ONE = "reminder-0000000000000000"
API = (
    "/api/fdds?number=%2B919876500001",
    f"/api/fdds/{FDD}",
    f"/api/campaigns/{ONE}/fdds",
    f"/api/campaigns/{ONE}/leftovers",
    "/api/campaigns/reports/raw?format=csv",
    "/api/campaigns/reports/raw?format=json",
)
PAGES = (f"/campaigns/{ONE}/fdds", f"/fdds/{FDD}")


async def texts(client: Client, ways: Sequence[str], headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for way in ways:
        answered = await client.get(way, headers={**PERSON, **headers})
        assert answered.status == 200, (way, await answered.text())
        found[way] = await answered.text()
    return found


@pytest.mark.parametrize(
    ("ways", "backend"), [(API, FakeBackend), (PAGES, CampaignsShown)], ids=["api", "pages"]
)
def test_without_the_right_no_number_gets_out(
    ways: Sequence[str], backend: Callable[[], FakeBackend]
) -> None:
    async def steps(client: Client, people: People) -> None:
        shown = await texts(client, ways, await bearer(people, "admin"))
        assert [way for way, text in shown.items() if NUMBER.search(text)] == []
        whole = await texts(client, ways, await bearer(people, "viewer", ("numbers",)))
        assert [way for way, text in whole.items() if not NUMBER.search(text)] == []
        assert client.app is not None
        trail = client.app[TRAIL]
        assert isinstance(trail, MemoryTrail)
        seen = [e for e in trail.entries.values() if e.action == "numbers.see"]
        assert len(seen) == len(ways)
        assert {entry.actor for entry in seen} == {"program-viewer-1"}

    among_people(steps, backend())


def test_without_users_nothing_is_masked() -> None:
    assert NUMBER.search(get(API[1])[1])


def test_an_excel_file_is_masked_before_it_is_made() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "viewer")
        way = "/api/campaigns/reports/raw?format=xlsx"
        content = await (await client.get(way, headers=headers)).read()
        book = openpyxl.load_workbook(io.BytesIO(content))
        cells = [str(cell.value) for row in book.active.iter_rows() for cell in row]
        assert any("*" in cell for cell in cells)
        assert not any(NUMBER.search(cell) for cell in cells)

    among_people(steps)


def test_a_letter_hides_its_numbers_in_each_form() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "viewer")
        for way in ("/dead-letters/dl-000000", "/dead-letters/dl-000000/original"):
            answered = await client.get(way, headers={**PERSON, **headers})
            assert answered.status == 200
            text = (await answered.read()).decode("utf-8", "replace")
            assert "9198765" not in re.sub(r"[^0-9]", "", text.partition("<pre")[2] or text)

    backend = CampaignsShown("little")
    among_people(steps, backend)


def test_records_of_a_topic_are_masked_as_they_stream() -> None:
    async def steps(client: Client, people: People) -> None:
        admin = await bearer(people, "admin")
        record = {"msisdn": "919876543210", "to": "+919876543210", "bytes": 12345678901}
        await client.post("/api/topics/usage/records?key=msisdn", json=record, headers=admin)
        page = await (await client.get("/api/topics/usage/records", headers=admin)).text()
        assert "9876543210" not in page and "12345678901" in page
        live = await client.get(
            "/api/topics/usage/records", headers={**admin, "Accept": "text/event-stream"}
        )
        line = b""
        while not line.startswith(b"data: "):
            line = await live.content.readline()
        assert b"9876543210" not in line and b"12345678901" in line
        live.close()

    among_people(steps)
