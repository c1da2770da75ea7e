"""A campaign: how it stands on a day, by slot and outcome; its days, files and reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from app.web import campaign_words
from app.web.context import BACKEND
from app.web.pages import act_on_campaign
from app.web.pages.campaign_links import campaign_link, campaign_of, day_of, known, part, zone_of
from app.web.pages.shell import Context
from app.web.params import cursor

FIRST_REJECTIONS = 5
FILES = 20
ROWS = 50
# key of a line of figures -> (its title, the status under which its FDDs are found)
LINES = {
    "created": ("Made", ""),
    "completed": ("Completed", "COMPLETED"),
    "partial": ("Partial", "PARTIAL_COMPLETE"),
    "failed": ("Failed", "FAILED"),
    "negative": ("Negative", "NEGATIVE"),
    "revoked": ("Revoked", "REVOKED"),
    "attempted": ("Attempted", ""),
    "pending": ("Pending", "IN_PROGRESS"),
}


async def build(request: web.Request) -> Context:
    """One snapshot of the campaign; what its stores say beside it may fail by itself."""
    backend = request.app[BACKEND]
    found = await campaign_of(request)
    request_id, day = str(found["request_id"]), day_of(request)
    rejections, rejections_failed = await part(
        backend.rejections(request_id, FIRST_REJECTIONS, None)
    )
    negatives, negatives_failed = await part(backend.negative_files(request_id, FILES, None))
    return {
        "found": found,
        "counts": found["counts"],
        "day": day,
        "sentence": campaign_words.campaign_sentence(found, day),
        "times": campaign_words.times(found),
        "zone": await zone_of(request, str(found["flow"])),
        "flags": [name for name, on in found["flags"].items() if on and name != "processing"],
        "acts": act_on_campaign.buttons(found, day),
        "lines": LINES,
        "slots": _slots(found),
        "days": [
            {**item, "link": campaign_link(request_id, day=item["day"])}
            for item in found["days_list"]
        ],
        "made": campaign_words.made,
        "rejections": rejections.items if rejections else (),
        "rejections_failed": rejections_failed,
        "negatives": negatives.items if negatives else (),
        "negatives_failed": negatives_failed,
        "link": lambda piece="", **query: campaign_link(request_id, piece, **query),
        "here": campaign_link(request_id, day=day),
        "done": await act_on_campaign.done(request),
    }


def _slots(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """A line for each slot, and one for the day where there are several."""
    lines = [{"slot": item["slot"], **line(item["counts"])} for item in found["by_slot"]]
    if len(lines) != 1:
        lines.append({"slot": "", **line(found["counts"])})
    return lines


def line(counts: Mapping[str, Any]) -> dict[str, int]:
    """Counts as one line of figures; what isn't there is nothing."""
    outcome = counts.get("outcome", {})
    return {
        "created": counts.get("created", 0),
        "attempted": counts.get("attempted", 0),
        "pending": counts.get("pending", 0),
        "completed": outcome.get("completed", 0),
        "partial": outcome.get("partial", 0),
        "failed": sum(outcome.get("failed", {}).values()),
        "negative": outcome.get("negative", 0),
        "revoked": outcome.get("revoked", 0),
    }


async def build_rejections(request: web.Request) -> Context:
    """The rows of the file that were not accepted, a page of them."""
    found = await campaign_of(request)
    request_id = str(found["request_id"])
    page = known(
        await request.app[BACKEND].rejections(request_id, ROWS, cursor(request)), request_id
    )
    here = campaign_link(request_id, "rejections")
    return {
        "found": found,
        "rejections": page.items,
        "back": campaign_link(request_id),
        "csv": f"/api{here}?format=csv",
        "as_uploaded": f"/api{here}?format=rows",
        "first": here if cursor(request) else "",
        "more": campaign_link(request_id, "rejections", cursor=page.next) if page.next else "",
    }
