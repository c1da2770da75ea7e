"""Commands: which rule each calls, and how it is answered.

The answer is a row `k/<command id>`, kept for 7 days, and a record on `campaign-audit`. A command
whose id was answered before changes nothing. Parts of files are answered in their rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.campaigns import changes, negatives, upload
from domain.campaigns.bodies import (
    Numbers,
    Remove,
    Withdraw,
    check_intake,
    not_to_call_of,
    numbers_of,
    read_body,
    to_erase,
)
from domain.campaigns.changes import Answer
from domain.campaigns.days import parse_day
from domain.campaigns.erase import erase, erase_old, erase_page
from domain.campaigns.keys import key
from domain.campaigns.numbers import normalised
from domain.campaigns.rows import Campaign, Command, Job, Negatives, Upload, encode
from domain.campaigns.work import Work, read, shown_instant
from domain.errors import Reject

KEPT_MS = 7 * 86_400_000
_INTAKE = ("upload", "rows", "rows_end")
# change -> members of its body besides reason and dry_run
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "retrigger": ("day", "statuses", "failed", "slot"),
    "reschedule": ("slots", "days"),
    "revoke": (),
    "pause": (),
    "resume": (),
}

Page = Callable[[Work, Campaign, Job], bool]
# job kind of a command -> its page
PAGES: dict[str, Page] = {
    "revoke": changes.revoke_page,
    "retrigger": changes.retrigger_page,
    "reschedule": changes.reschedule_page,
    "erase": erase_page,
}


def command(work: Work, event: Mapping[str, Any]) -> None:
    """Applies one command. Raises Reject, and has changed nothing then."""
    name, ident = event.get("command"), event.get("id")
    request_id, body = event.get("request_id") or "", event.get("body")
    body = {} if body is None else body
    if not isinstance(name, str) or not isinstance(body, Mapping):
        raise Reject("bad_event", "a command has command, id, request_id and an object body")
    if not isinstance(ident, str) or not ident or not isinstance(request_id, str):
        raise Reject("bad_event", f"command {name}: id {ident!r}, expected text")
    if not isinstance(event.get("actor"), str | None):
        raise Reject("bad_event", f"command {name}: actor {event['actor']!r}, expected text")
    try:
        if name in _INTAKE:
            _intake(work, name, request_id, body, event)
        elif work.book.get(key("k", ident)) is None:
            _change(work, name, ident, request_id, body, event)
    except (KeyError, TypeError, ValueError) as error:
        raise Reject("bad_event", f"command {name}: {error!r} in its body") from error


def _intake(
    work: Work, name: str, request_id: str, body: Mapping[str, Any], event: Mapping[str, Any]
) -> None:
    check_intake(name, body)
    if name == "upload":
        reason, dry_run = why_of(event, body)
        if dry_run:
            raise Reject("bad_event", "dry_run true: an upload is tried over HTTP only")
        actor = event.get("actor") or ""
        upload.upload(work, request_id, body, actor, reason)
    elif name == "rows":
        upload.rows(work, _known(work, request_id), body)
    else:
        campaign = _known(work, request_id)
        if upload.rows_end(work, campaign, body):
            _tell_uploaded(work, campaign, str(body.get("command_id") or request_id))


def _tell_uploaded(work: Work, campaign: Campaign, ident: str) -> None:
    """The audit record of an upload: once, when all of its rows are read. `ident`: of the event
    that asked for it, else the request's.
    """
    by = {"accepted": campaign.accepted, "rejected": campaign.rejected}
    row = Command(
        "done", "upload", campaign.request_id, work.now_ms, 200, campaign.actor, campaign.reason
    )
    work.book.send("campaign-audit", row.request_id.encode(), _audit(work, ident, row, 0, by))


def _known(work: Work, request_id: str) -> Campaign:
    campaign = work.campaign(request_id)
    if campaign is None:
        raise Reject("unknown_request", f"request_id {request_id!r}, expected one of an upload")
    return campaign


def _change(
    work: Work,
    name: str,
    ident: str,
    request_id: str,
    body: Mapping[str, Any],
    event: Mapping[str, Any],
) -> None:
    reason, dry_run = why_of(event, body)
    row = Command(
        "running",
        name,
        request_id,
        work.now_ms,
        202,
        str(event.get("actor") or ""),
        reason,
        dry_run,
    )
    if name == "do_not_call":
        found: Answer | Job = _do_not_call(work, ident, body, row)
    elif name == "erase":
        found = _erase(work, body, dry_run)
    else:
        campaign = _known(work, request_id)
        always = name in ("revoke", "recount")
        refused = None if always else changes.refused_when_cancelled(campaign)
        refused = refused or _misfit(name, body)
        found = refused or _on_campaign(work, campaign, name, ident, body, row)
    if isinstance(found, Answer):
        quiet = name in ("negatives", "do_not_call") and bool(body.get("more"))
        answer(work, ident, row, found, audited=not quiet)
        return
    found.command_id = ident
    if PAGES[found.kind](work, _known(work, found.request_id), found):
        answer(work, ident, row, Answer(touched=found.touched, by=found.by))
        return
    work.book.put(key("k", ident), encode(row))
    work.put_job(key("j", "command", ident), found)


def why_of(event: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[str, bool]:
    """(reason, dry run): beside the body, or in it as over HTTP. Who asks for a trial in either
    must not get the deed. Raises Reject.
    """
    said = [place["dry_run"] for place in (event, body) if place.get("dry_run") is not None]
    for each in said:
        if not isinstance(each, bool):
            raise Reject("bad_event", f"dry_run {each!r}, expected true or false")
    reason = event.get("reason") or body.get("reason") or ""
    if not isinstance(reason, str):
        raise Reject("bad_event", f"reason {reason!r}, expected text")
    return reason, any(said)


def _misfit(name: str, body: Mapping[str, Any]) -> Answer | None:
    """The refusal of a change with a member that it can't have: one that is passed over would let
    it do more than was meant.
    """
    known = MEMBERS.get(name)
    unknown = () if known is None else sorted(body.keys() - {*known, "reason", "dry_run"})
    if known is None or not unknown:
        return None
    expected = f"only {', '.join((*known, 'reason', 'dry_run'))}"
    wrong = (unknown[0], body[unknown[0]], expected)
    return Answer(422, errors=(wrong,), because=f"{wrong[0]}: {wrong[1]!r}, expected {expected}")


def _on_campaign(
    work: Work, campaign: Campaign, name: str, ident: str, body: Mapping[str, Any], row: Command
) -> Answer | Job:
    dry_run = row.dry_run
    if name == "recount":  # for the audit, and a commit that is newer than all in the stores
        return Answer()
    if name == "pause":
        return changes.pause(work, campaign, dry_run)
    if name == "resume":
        return changes.resume(work, campaign, dry_run)
    if name == "revoke":
        return changes.revoke(work, campaign, dry_run)
    if name == "retrigger":
        return changes.retrigger(work, campaign, body, dry_run)
    if name == "reschedule":
        return changes.reschedule(work, campaign, body, dry_run)
    if name == "negatives":
        listed = numbers_of(body)
        about = _file(work, ident, listed, row)
        figures = negatives.negatives(work, campaign, listed, about, dry_run)
        return Answer(touched=figures["fdds"]["negative"], more=figures)
    if name == "withdraw":
        asked = read_body(Withdraw, name, body)
        number = normalised(asked.number, campaign.flow.country)
        gone = number is not None and negatives.withdraw(work, campaign, number, dry_run)
        return Answer(more={"withdrawn": gone})
    raise Reject("bad_event", f"command {name!r} is none, expected one of campaigns-api")


def _file(work: Work, ident: str, listed: Numbers, row: Command) -> Upload:
    return Upload(
        listed.upload_id or ident,
        listed.filename or "",
        row.actor,
        row.reason,
        work.now_ms,
        Negatives(),
    )


def _erase(work: Work, body: Mapping[str, Any], dry_run: bool) -> Answer | Job:
    """Of one `number` (E.164), or of all campaigns that were over before `before_day`."""
    if "before_day" not in body:
        return Answer(touched=erase(work, to_erase(body), dry_run))
    if "number" in body:
        raise Reject("bad_event", "command erase: its body has either number or before_day")
    day = parse_day(body["before_day"])
    if day is None:
        wrong = ("before_day", body["before_day"], "a date like 2025-11-03")
        return Answer(422, because="before_day: expected a date", errors=(wrong,))
    found = erase_old(work, day, dry_run)
    return found if isinstance(found, Job) else Answer(touched=found)


def _do_not_call(work: Work, ident: str, body: Mapping[str, Any], row: Command) -> Answer:
    listed = not_to_call_of(body)
    if isinstance(listed, Remove):
        number = normalised(listed.remove, listed.country)
        gone = number is not None and negatives.call_again(work, number, row.dry_run)
        return Answer(more={"removed": gone})
    figures = negatives.do_not_call(work, listed, _file(work, ident, listed, row), row.dry_run)
    return Answer(touched=figures["fdds"]["negative"], more=figures)


def page(work: Work, campaign: Campaign, job_id: bytes, job: Job) -> None:
    """The next page of a command's job."""
    if not PAGES[job.kind](work, campaign, job):
        work.put_job(job_id, job)
        return
    work.book.delete(job_id)
    row = read(work.book, key("k", job.command_id), Command)
    row = row or Command("running", job.kind, job.request_id, work.now_ms, 202)
    answer(work, job.command_id, row, Answer(touched=job.touched, by=job.by))


def answer(work: Work, ident: str, row: Command, found: Answer, audited: bool = True) -> None:
    """Keeps how a command went, and tells it."""
    row.state = "done" if found.status == 200 else "refused"
    row.status, row.because, row.open_at_ms = found.status, found.because, found.open_at_ms
    row.result = {
        "command_id": ident,
        "dry_run": row.dry_run,
        "touched": found.touched,
        "by": found.by,
        **found.more,
    }
    if found.errors:
        row.result["errors"] = [
            {"path": path, "value": _kept(value), "expected": expected}
            for path, value, expected in found.errors
        ]
    row_key = key("k", ident)
    work.book.put(row_key, encode(row))
    work.wake(work.now_ms + KEPT_MS, row_key)
    if not audited:
        return
    audit = _audit(work, ident, row, found.touched, found.by)
    work.book.send("campaign-audit", (row.request_id or ident).encode(), audit)


def _kept(value: Any) -> Any:
    """What was wrong in a command, as a row can hold it."""
    try:
        encode(value)
    except (OverflowError, TypeError, ValueError, RecursionError):
        return str(value)[:200]
    return value


def _audit(
    work: Work, ident: str, row: Command, touched: int, by: dict[str, int]
) -> dict[str, Any]:
    return {
        "command_id": ident,
        "action": row.action,
        "request_id": row.request_id,
        "actor": row.actor,
        "reason": row.reason,
        "dry_run": row.dry_run,
        "touched": touched,
        "by": by,
        "at": shown_instant(work.now_ms),
        "state": row.state,
        "because": row.because,
    }


def command_json(row: Command) -> dict[str, Any]:
    """What `GET /api/campaigns/commands/{id}` shows: state and result."""
    shown: dict[str, Any] = {"state": row.state, "status": row.status, "action": row.action}
    shown["request_id"], shown["result"] = row.request_id, row.result
    shown["because"] = row.because
    open_at = row.open_at_ms
    shown["open_at"] = None if open_at is None else shown_instant(open_at)
    return shown
