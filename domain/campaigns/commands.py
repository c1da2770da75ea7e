"""Commands: which rule each calls, and how it is answered.

The answer is a row `k/<command id>`, kept for 7 days, and a record on `campaign-audit`. A command
whose id was answered before changes nothing. Parts of files are answered in their rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.campaigns import changes, negatives, upload
from domain.campaigns.changes import Answer
from domain.campaigns.erase import erase
from domain.campaigns.keys import key
from domain.campaigns.numbers import normalised
from domain.campaigns.rows import Campaign, Command, Job, Negatives, Upload, encode
from domain.campaigns.work import Work, read, shown_instant
from domain.errors import Reject

KEPT_MS = 7 * 86_400_000
_INTAKE = ("upload", "rows", "rows_end")

Page = Callable[[Work, Campaign, Job], bool]
# job kind of a command -> its page
PAGES: dict[str, Page] = {
    "revoke": changes.revoke_page,
    "retrigger": changes.retrigger_page,
    "reschedule": changes.reschedule_page,
}


def command(work: Work, event: Mapping[str, Any]) -> None:
    """Applies one command. Raises Reject, and has changed nothing then."""
    name, ident = event.get("command"), event.get("id")
    request_id, body = event.get("request_id") or "", event.get("body") or {}
    if not isinstance(name, str) or not isinstance(body, Mapping):
        raise Reject("bad_event", "a command has command, id, request_id and an object body")
    if not isinstance(ident, str) or not ident or not isinstance(request_id, str):
        raise Reject("bad_event", f"command {name}: id {ident!r}, expected text")
    try:
        if name in _INTAKE:
            _intake(work, name, request_id, body, str(event.get("actor") or ""))
        elif work.book.get(key("k", ident)) is None:
            _change(work, name, ident, request_id, body, event)
    except (KeyError, TypeError, ValueError) as error:
        raise Reject("bad_event", f"command {name}: {error!r} in its body") from error


def _intake(work: Work, name: str, request_id: str, body: Mapping[str, Any], actor: str) -> None:
    if name == "upload":
        upload.upload(work, request_id, body, actor)
    elif name == "rows":
        upload.rows(work, _known(work, request_id), body)
    else:
        upload.rows_end(work, _known(work, request_id), body)


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
    dry_run = bool(event.get("dry_run"))
    row = Command(
        "running",
        name,
        request_id,
        work.now_ms,
        202,
        str(event.get("actor") or ""),
        str(event.get("reason") or ""),
        dry_run,
    )
    if name == "do_not_call":
        found: Answer | Job = _do_not_call(work, ident, body, row)
    elif name == "erase":
        found = Answer(touched=erase(work, str(body.get("number") or ""), dry_run))
    else:
        campaign = _known(work, request_id)
        cancelled = None if name == "revoke" else changes.refused_when_cancelled(campaign)
        found = cancelled or _on_campaign(work, campaign, name, ident, body, row)
    if isinstance(found, Answer):
        quiet = name in ("negatives", "do_not_call") and bool(body.get("more"))
        answer(work, ident, row, found, audited=not quiet)
        return
    found.command_id = ident
    if PAGES[found.kind](work, _known(work, request_id), found):
        answer(work, ident, row, Answer(touched=found.touched, by=found.by))
        return
    work.book.put(key("k", ident), encode(row))
    work.put_job(key("j", "command", ident), found)


def _on_campaign(
    work: Work, campaign: Campaign, name: str, ident: str, body: Mapping[str, Any], row: Command
) -> Answer | Job:
    dry_run = row.dry_run
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
        about = _file(work, ident, body, row)
        figures = negatives.negatives(work, campaign, body, about, dry_run)
        return Answer(touched=figures["fdds"]["negative"], more=figures)
    if name == "withdraw":
        number = normalised(str(body.get("number") or ""), campaign.flow.country)
        touched = bool(number) and not dry_run
        if touched and not negatives.withdraw(work, campaign, str(number)):
            touched = False
        return Answer(more={"withdrawn": touched, "number": number})
    raise Reject("bad_event", f"command {name!r} is none, expected one of campaigns-api")


def _file(work: Work, ident: str, body: Mapping[str, Any], row: Command) -> Upload:
    return Upload(
        str(body.get("upload_id") or ident),
        str(body.get("filename") or ""),
        row.actor,
        row.reason,
        work.now_ms,
        Negatives(),
    )


def _do_not_call(work: Work, ident: str, body: Mapping[str, Any], row: Command) -> Answer:
    remove = body.get("remove")
    if remove is not None:
        number = normalised(str(remove), body.get("country"))
        gone = number is not None and not row.dry_run and negatives.call_again(work, number)
        return Answer(more={"removed": gone, "number": number})
    figures = negatives.do_not_call(work, body, _file(work, ident, body, row), row.dry_run)
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
            {"path": path, "value": value, "expected": expected}
            for path, value, expected in found.errors
        ]
    row_key = key("k", ident)
    work.book.put(row_key, encode(row))
    work.wake(work.now_ms + KEPT_MS, row_key)
    if not audited:
        return
    audit = {
        "command_id": ident,
        "action": row.action,
        "request_id": row.request_id,
        "actor": row.actor,
        "reason": row.reason,
        "dry_run": row.dry_run,
        "touched": found.touched,
        "by": found.by,
        "at": shown_instant(work.now_ms),
        "state": row.state,
        "because": row.because,
    }
    work.book.send("campaign-audit", row.request_id.encode(), audit)


def command_json(row: Command) -> dict[str, Any]:
    """What `GET /api/campaigns/commands/{id}` shows: state and result."""
    shown: dict[str, Any] = {"state": row.state, "status": row.status, "action": row.action}
    shown["request_id"], shown["result"] = row.request_id, row.result
    shown["because"] = row.because
    open_at = row.open_at_ms
    shown["open_at"] = None if open_at is None else shown_instant(open_at)
    return shown
