"""Applying and removing documents from the console."""

from html import unescape

from app.web.pages.apply_document import EXAMPLE
from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, page, token, visit

APPLY = "/configuration/apply"


def post(backend: FakeBackend | None = None, path: str = APPLY, **fields: str) -> tuple[int, str]:
    """(status, page or where it leads) of the form."""

    async def steps(client: Client) -> tuple[int, str]:
        form = {"csrf": await token(client), **fields}
        response = await client.post(path, data=form, headers=PERSON, allow_redirects=False)
        return response.status, response.headers.get("Location") or unescape(await response.text())

    return visit(steps, backend)


def checked(html: str) -> str:
    return html.partition('name="checked" value="')[2].partition('"')[0]


def test_the_form_begins_with_the_document_in_force() -> None:
    html = page(f"{APPLY}?kind=aggregator&name=data-per-account")
    assert "carry_last" in html
    assert "Change data-per-account" in html


def test_a_check_says_what_is_wrong_by_path() -> None:
    status, html = post(document=EXAMPLE.replace("sum", "summ"))
    assert status == 422
    assert "aggregate[0].operation" in html
    assert 'value="apply"' not in html


def test_a_check_says_where_the_yaml_breaks() -> None:
    status, html = post(document="kind: [")
    assert status == 422
    assert "line 1" in html


def test_a_check_shows_what_would_change_and_changes_nothing() -> None:
    backend = FakeBackend()
    status, html = post(backend, document=EXAMPLE)
    assert status == 200
    assert "This makes version 4 of aggregator/data-per-account" in html
    assert len(backend.history["aggregator", "data-per-account"]) == 3


def test_a_text_that_was_checked_is_applied_with_its_reason() -> None:
    backend = FakeBackend()
    _, html = post(backend, document=EXAMPLE)
    fields = {"document": EXAMPLE, "do": "apply", "checked": checked(html)}
    status, missing = post(backend, **fields)
    assert status == 422
    assert "Say why" in missing
    status, where = post(backend, reason="by account only", **fields)
    assert (status, where) == (303, "/configuration/aggregator/data-per-account?done=applied")
    assert backend.history["aggregator", "data-per-account"][-1].reason == "by account only"


def test_a_text_changed_after_the_check_is_checked_again() -> None:
    backend = FakeBackend()
    _, html = post(backend, document=EXAMPLE)
    other = EXAMPLE.replace("hours: 1", "hours: 2")
    fields = {"document": other, "do": "apply", "checked": checked(html), "reason": "r"}
    status, html = post(backend, **fields)
    assert (status, "What changes" in html) == (200, True)
    assert len(backend.history["aggregator", "data-per-account"]) == 3


def test_records_are_tried_and_nothing_is_kept() -> None:
    backend = FakeBackend()
    status, html = post(backend, document=EXAMPLE, do="try", records='{"account":"X"}\nnope')
    assert status == 200
    assert "2 records: 1 session, 0 filtered out, 1 rejected." in html
    assert "Record 2:" in html
    assert len(backend.history["aggregator", "data-per-account"]) == 3


def test_trying_without_records_says_what_is_wanted() -> None:
    status, html = post(document=EXAMPLE, do="try", records=" \n")
    assert status == 422
    assert "JSON records, one a line" in html


def test_removing_wants_a_reason_and_says_what_it_does() -> None:
    backend = FakeBackend()
    path = "/configuration/aggregator/data-per-account/remove"
    status, html = post(backend, path, do="remove")
    assert status == 422
    assert "run out and are flushed under version 3" in html
    status, where = post(backend, path, do="remove", reason="moved")
    assert (status, where) == (303, "/configuration")
    assert "Removed with version 4" in page("/configuration/aggregator/data-per-account", backend)
