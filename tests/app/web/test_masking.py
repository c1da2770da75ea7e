"""Numbers on every way out: masked for who may not see them, and audited for who may."""

import io
import re
from collections.abc import Callable, Mapping, Sequence

import openpyxl
import pytest

from app.campaign_shapes import Json
from app.facade.cursors import cursor_of, place_of
from app.people.people import People
from app.shapes import Page
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


class Listed(FakeBackend):
    """Its cursors are as those of a worker: the last number of a page."""

    async def do_not_call(self, limit: int, cursor: str | None) -> Page[Json]:
        numbers = [f"+9198000000{n:02}" for n in range(5)]
        after = "" if cursor is None else place_of(cursor, str)
        left = [number for number in numbers if number > after]
        row = {"expires": None, "at": "2025-11-03T04:30:00.000Z", "actor": "a", "reason": "r"}
        more = cursor_of(left[limit - 1]) if len(left) > limit else None
        return Page([{"number": number, **row} for number in left[:limit]], more)


def test_a_cursor_tells_no_number_and_is_good_all_the_same() -> None:
    async def steps(client: Client, people: People) -> None:
        admin = await bearer(people, "admin")
        seen, query = [], "?limit=2"
        while True:
            page = await (await client.get(f"/api/do-not-call{query}", headers=admin)).json()
            seen += [item["number"] for item in page["items"]]
            if page["next"] is None:
                break
            assert page["next"].startswith("~")
            query = f"?limit=2&cursor={page['next']}"
        assert len(seen) == 5 and all("*" in number for number in seen)
        wrong = await client.get("/api/do-not-call?cursor=~AAAA", headers=admin)
        assert wrong.status == 400

    among_people(steps, Listed())


def test_a_number_is_not_guessed_by_the_whole_of_a_key() -> None:
    async def steps(client: Client, people: People) -> None:
        shown, may = await bearer(people, "admin"), await bearer(people, "viewer", ("numbers",))
        for way in ("/api/tables/sessions/%2B919876543210", "/api/tables/sessions/p/+919876543210",
                    "/tables/sessions/row?key=p%2F%2B919876543210"):  # fmt: skip
            assert (await client.get(way, headers=shown)).status == 403
            assert (await client.get(way, headers=may)).status == 404

    among_people(steps)


def test_a_number_is_not_guessed_by_the_beginning_of_a_key() -> None:
    async def steps(client: Client, people: People) -> None:
        shown, may = await bearer(people, "admin"), await bearer(people, "viewer", ("numbers",))
        for way in ("/api/tables/sessions?prefix=%2B91", "/tables/sessions?prefix=p%2F%2B9"):
            assert (await client.get(way, headers=shown)).status == 403
            assert (await client.get(way, headers=may)).status == 200

    among_people(steps)
