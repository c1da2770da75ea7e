"""The do-not-call list, erasing, and alerts in the console: a dry run first, a reason, the deed."""

from html import unescape

from app.campaign_shapes import RefusedAction
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.site import page
from tests.app.web.test_campaign_acts import form

STOP = b"number\n+919800000001\n+919800000002\n"


def test_a_file_is_looked_through_and_listed_with_a_reason() -> None:
    backend = CampaignsShown()
    status, html = form("/do-not-call", backend, {"do": "check", "expires": "2027-01-31"}, STOP)
    assert status == 200
    assert "2 FDDs of all campaigns will become negative, 1 has already started" in html
    assert "List 2 numbers" in html and "from 2027-01-31 on" in html
    assert backend.changes == []
    status, html = form("/do-not-call", backend, {"do": "add", "reason": ""}, STOP)
    assert status == 422 and "Say why" in html
    status, where = form("/do-not-call", backend, {"do": "add", "reason": "they asked"}, STOP)
    assert (status, where) == (303, "/do-not-call?did=listed")
    assert "they asked" in page("/do-not-call", backend)
    status, html = form("/do-not-call", backend, {"do": "check", "expires": "soon"}, STOP)
    assert status == 422 and "a day like 2027-01-31" in html


def test_a_number_is_taken_off_the_list_with_a_reason() -> None:
    backend = CampaignsShown()
    form("/do-not-call", backend, {"do": "add", "reason": "r"}, STOP)
    taken = {"do": "remove", "number": "+91 98000 00001", "reason": "a mistake"}
    assert form("/do-not-call", backend, taken, STOP)[1] == "/do-not-call?did=removed"
    assert list(backend.not_to_call) == ["+919800000002"]
    status, html = form("/do-not-call", backend, taken, STOP)
    assert status == 422 and "a number of this list" in html
    assert "Nobody is on the list." in page("/do-not-call", CampaignsShown("none"))


def test_a_person_is_erased_after_a_dry_run_and_with_a_reason() -> None:
    backend = CampaignsShown()
    status, html = form("/erase", backend, {"do": "check", "number": "+919800000001"})
    assert status == 200 and "Erase for good" in html
    assert backend.changes == []
    status, html = form("/erase", backend, {"do": "erase", "number": "+919800000001"})
    assert status == 422 and "Say why" in html and backend.changes == []
    given = {"do": "erase", "number": "+919800000001", "reason": "asked us to"}
    assert form("/erase", backend, given) == (303, "/erase?did=done")
    assert backend.changes[0][2] == {"number": "+919800000001"}


def test_those_of_old_campaigns_are_erased_by_days() -> None:
    backend = CampaignsShown()
    assert "Nothing is kept of campaigns that ended more than 90 days ago" in form(
        "/erase", backend, {"do": "check", "days": "90"}
    )[1]  # fmt: skip
    for wrong in ({}, {"days": "soon"}, {"days": "1", "number": "+1"}):
        assert form("/erase", backend, {"do": "check", **wrong})[0] == 422


def test_nothing_is_erased_while_a_file_is_read() -> None:
    backend = CampaignsShown()
    backend.refusing_erasure = RefusedAction("erase", "the file of a-1 is being read")
    status, html = form("/erase", backend, {"do": "check", "days": "90"})
    assert status == 409 and "the file of a-1 is being read" in html


def test_alerts_stand_above_the_day() -> None:
    backend = CampaignsShown()
    assert "<h2>Alerts</h2>" not in page("/campaigns", backend)
    backend.alerts.append({
        "alert": "bad-slot", "flow": "reminder", "request_id": "reminder-1", "day": "2025-11-03",
        "slot": "10:00-12:00", "state": "started", "value": 60.0, "mark": 20.0,
        "since": "2025-11-03T06:30:00.000Z", "text": "Slot 10:00-12:00 ended with 6 of 10 failed",
    })  # fmt: skip
    html = unescape(page("/campaigns", backend))
    assert "Slot 10:00-12:00 ended with 6 of 10 failed." in html
    assert "/campaigns/reminder-1?day=2025-11-03" in html
