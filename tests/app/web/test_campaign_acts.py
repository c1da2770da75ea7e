"""Acting on campaigns in the console: a dry run first, a reason, then the deed and its result."""

from html import unescape

import pytest
from aiohttp import FormData

from app.campaign_shapes import Commanded, RefusedAction
from tests.app.web import made_campaigns as made
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.site import PERSON, Client, page, token, visit

ONE = f"/campaigns/{made.request_id(0)}"
PEOPLE = b"number,name\n+919800000001,A\nabc,B\n"


def form(
    path: str, backend: CampaignsShown, fields: dict[str, str], file: bytes | None = None
) -> tuple[int, str]:
    """(status, page or where it leads) of a form."""

    async def steps(client: Client) -> tuple[int, str]:
        data = FormData()
        given = {"csrf": await token(client), **fields}
        for name, text in given.items():
            data.add_field(name, text, content_type="text/plain" if file is not None else None)
        if file is not None:
            data.add_field("file", file, filename="people.csv", content_type="text/csv")
        response = await client.post(path, data=data, headers=PERSON, allow_redirects=False)
        return response.status, response.headers.get("Location") or unescape(await response.text())

    return visit(steps, backend)


@pytest.mark.parametrize(
    ("action", "said", "button"),
    [
        ("revoke", "412 FDDs will be revoked.", "Revoke 412 FDDs"),
        ("retrigger", "Of those, 374 out of slot, 38 partial.", "Retrigger 412 FDDs"),
        ("pause", "This will pause dues.", ">Pause<"),
        ("reschedule?slots=18:00-20:00&days=2", "38 FDDs of today", "Reschedule 38 FDDs"),
    ],
)
def test_the_page_says_what_it_would_do_and_does_nothing(
    action: str, said: str, button: str
) -> None:
    backend = CampaignsShown()
    html = unescape(page(f"{ONE}/{action}", backend))
    assert said in html
    assert button in html
    assert backend.changes == []


def test_a_new_schedule_is_asked_for_before_anything_is_counted() -> None:
    html = page(f"{ONE}/reschedule", CampaignsShown())
    assert "then you see what it would do" in html
    assert 'value="10:00-12:00, 16:00-18:00"' in html
    assert 'name="days" value="3"' in html  # of five days two are over
    assert "Leave it" not in html


@pytest.mark.parametrize(
    ("action", "fields", "body", "said"),
    [
        ("revoke", {}, {}, "412 FDDs revoked."),
        ("pause", {}, {}, "Paused: nothing new is ordered."),
        (
            "retrigger",
            {"chosen": "1", "day": "2025-11-02", "failed": "BUSY"},
            {"day": "2025-11-02", "statuses": [], "failed": ["BUSY"], "slot": None},
            "412 FDDs queued again. Of those, 374 out of slot, 38 partial.",
        ),
        (
            "reschedule",
            {"slots": "18:00–20:00, 20:00-21:00", "days": "3"},
            {"slots": ["18:00-20:00", "20:00-21:00"], "days": 3},
            "38 FDDs of today taken back and made anew in the new slots.",
        ),
    ],
)
def test_an_action_is_done_with_its_reason_and_its_result_is_told(
    action: str, fields: dict[str, str], body: dict[str, object], said: str
) -> None:
    backend = CampaignsShown()
    path = f"{ONE}/{action}"
    status, html = form(path, backend, {**fields, "once": "k1"})
    assert (status, "Say why" in html, backend.changes) == (422, True, [])
    status, where = form(path, backend, {**fields, "once": "k1", "reason": "asked for"})
    assert status == 303
    ((request_id, name, given, change),) = backend.changes
    assert (request_id, name, given) == (made.request_id(0), action, body)
    assert (change.reason, change.idempotency_key) == ("asked for", "form-k1")
    html = page(where, backend)
    assert said in html
    assert 'href="/api/campaigns/commands/command0"' in html


def test_a_retrigger_takes_the_defaults_until_something_is_chosen() -> None:
    backend = CampaignsShown()
    form(f"{ONE}/retrigger", backend, {"once": "k", "reason": "r"})
    assert backend.changes[0][2] == {
        "day": made.DAY,
        "statuses": ["IN_PROGRESS", "PARTIAL_COMPLETE"],
        "failed": ["OUT_OF_SLOT"],
        "slot": None,
    }


def test_what_is_refused_says_from_when_it_is_taken() -> None:
    backend = CampaignsShown()
    backend.refused = RefusedAction("retrigger", "", "2025-11-03T12:30:00.000Z")
    html = page(f"{ONE}/retrigger", backend)
    assert "Retrigger opens <time" in html
    assert "2025-11-03 12:30:00" in html
    assert "Leave it" not in html
    status, _ = form(f"{ONE}/retrigger", backend, {"once": "k", "reason": "r"})
    assert (status, backend.changes) == (409, [])


def test_what_is_at_work_is_said_and_then_its_result() -> None:
    backend = CampaignsShown()
    backend.prompt_campaigns = False
    _, where = form(f"{ONE}/revoke", backend, {"once": "k", "reason": "r"})
    assert "durable and at work" in page(where, backend)
    backend.finish_commands()
    assert "412 FDDs revoked." in page(where, backend)


def test_a_form_of_another_visitor_is_not_taken() -> None:
    backend = CampaignsShown()
    for path, fields in ((f"{ONE}/revoke", None), ("/campaigns/upload", PEOPLE)):
        status, _ = form(path, backend, {"csrf": "0" * 64, "reason": "r"}, fields)
        assert status == 403
    assert (backend.changes, backend.given) == ([], [])


def steps_of(path: str, backend: CampaignsShown, file: bytes, *rounds: dict[str, str]) -> list[str]:
    """What each round of a form with a file leads to; the file comes with the first only."""

    async def steps(client: Client) -> list[str]:
        csrf = await token(client)
        found: list[str] = []
        held: dict[str, str] = {}
        for fields in rounds:
            data = FormData()
            for name, text in {"csrf": csrf, **held, **fields}.items():
                data.add_field(name, text, content_type="text/plain")
            if not held:
                data.add_field("file", file, filename="people.csv", content_type="text/csv")
            response = await client.post(path, data=data, headers=PERSON, allow_redirects=False)
            found.append(response.headers.get("Location") or unescape(await response.text()))
            names = ("held", "checked", "once")
            held = {name: hidden(found[-1], name) for name in names if hidden(found[-1], name)}
        return found

    return visit(steps, backend)


def hidden(html: str, name: str) -> str:
    return html.partition(f'name="{name}" value="')[2].partition('"')[0]


UPLOAD = {"flow": "reminder", "name": "dues", "slots": "10:00-12:00, 16:00–18:00", "days": "5"}


def test_a_file_is_looked_through_and_then_uploaded_with_a_reason() -> None:
    backend = CampaignsShown()
    looked, missing, where = steps_of(
        "/campaigns/upload",
        backend,
        PEOPLE,
        UPLOAD,
        {**UPLOAD, "do": "upload"},
        {**UPLOAD, "do": "upload", "reason": "the dues of November"},
    )
    assert "This makes 2 FDDs, and 1 row is rejected. It does not fit 16:00–18:00." in looked
    assert "Upload and make 2 FDDs" in looked
    assert "Say why" in missing
    assert where.startswith(f"/campaigns/{made.request_id(1)}?did=upload")
    ((description, filename, text, change),) = backend.given
    assert description == {
        "flow": "reminder",
        "name": "dues",
        "slots": ["10:00-12:00", "16:00-18:00"],
        "days": 5,
    }
    assert (filename, text.encode(), change.reason) == (
        "people.csv",
        PEOPLE,
        "the dues of November",
    )
    assert "The file is taken." in page(where, backend)


def test_what_was_changed_after_the_look_is_looked_at_again() -> None:
    backend = CampaignsShown()
    _, again = steps_of(
        "/campaigns/upload",
        backend,
        PEOPLE,
        UPLOAD,
        {**UPLOAD, "slots": "10:00-12:00", "do": "upload", "reason": "r"},
    )
    assert "This makes 1 FDD" in again
    assert backend.given == []


def test_a_wrong_description_says_what_would_be_right_and_keeps_the_file() -> None:
    fields = {**UPLOAD, "number_column": "phone"}
    (html,) = steps_of("/campaigns/upload", CampaignsShown(), PEOPLE, fields)
    assert "one of the header" in html
    assert "people.csv, 34 bytes, is here" in html
    (html,) = steps_of("/campaigns/upload", CampaignsShown(), b"", {**UPLOAD, "held": "x"})
    assert "number_column" in html


def test_a_form_that_can_carry_no_file_is_refused() -> None:
    status, html = form("/campaigns/upload", CampaignsShown(), {**UPLOAD, "held": "gone"}, None)
    assert status == 415
    assert "multipart" in html


def test_negatives_are_looked_through_and_then_taken() -> None:
    backend = CampaignsShown()
    path = f"{ONE}/negatives"
    numbers = b"number\n+919800000001\n+919800000002\n+919800000003\n"
    looked, where = steps_of(path, backend, numbers, {}, {"do": "negatives", "reason": "asked"})
    assert "1 FDD will become negative, 1 has already started and goes on." in looked
    assert "Add 3 negatives" in looked
    ((_, name, body, change),) = backend.changes
    assert (name, body, change.reason) == ("negatives", {"filename": "people.csv"}, "asked")
    assert "1 FDD became negative. 1 FDD had already started." in page(where, backend)


def test_a_negative_is_withdrawn_by_number_or_by_its_fdd() -> None:
    backend = CampaignsShown()
    path = f"{ONE}/negatives"
    base = {"do": "withdraw", "reason": "a mistake"}
    for fields in ({"number": "+91 98 0000 0004"}, {"fdd": made.fdd_id(0, 4)}):
        steps_of(path, backend, b"", {**base, **fields})
    assert [body for _, _, body, _ in backend.changes] == [{"number": "+919800000004"}] * 2
    (html,) = steps_of(path, backend, b"", {**base, "number": "0800"})
    assert "a negative number of this campaign" in html


def test_a_held_file_is_its_visitors_only() -> None:
    backend = CampaignsShown()

    async def steps(client: Client) -> str:
        data = FormData()
        for name, text in {"csrf": await token(client), **UPLOAD}.items():
            data.add_field(name, text, content_type="text/plain")
        data.add_field("file", PEOPLE, filename="people.csv")
        first = await (await client.post("/campaigns/upload", data=data, headers=PERSON)).text()
        client.session.cookie_jar.clear()
        data = FormData()
        fields = {"csrf": await token(client), "held": hidden(first, "held"), **UPLOAD}
        for name, text in fields.items():
            data.add_field(name, text, content_type="text/plain")
        return await (await client.post("/campaigns/upload", data=data, headers=PERSON)).text()

    assert "choose it again" in visit(steps, backend)


def test_a_deed_that_goes_on_is_told_of_by_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CampaignsShown()
    running = Commanded("command9", "running", position=(1, 7))
    asked: list[object] = []

    async def given(*_: object) -> Commanded:
        return running

    async def told(*how: object) -> Commanded:
        asked.append(how)
        return running

    monkeypatch.setattr(backend, "change_campaign", given)
    monkeypatch.setattr(backend, "campaign_command", told)
    status, where = form(f"{ONE}/pause", backend, {"once": "k1", "reason": "asked for"})
    assert (status, "at=1-7" in where) == (303, True)
    page(where, backend)
    assert asked == [("command9", 0.0, (1, 7))]
