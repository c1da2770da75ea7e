"""Numbers that are not to be contacted: in one request, or on the do-not-call list.

A file of them comes in parts of some thousand rows, each a transaction, with the same upload id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.campaigns.bodies import NotToCall, Numbers
from domain.campaigns.book import every
from domain.campaigns.days import day_of
from domain.campaigns.dispatch import unpark
from domain.campaigns.fdds import key_of, load, mark, move, note, places, save, unqueue
from domain.campaigns.keys import Ref, execution_id, key
from domain.campaigns.numbers import normalised
from domain.campaigns.rows import (
    CREATED,
    LEASED,
    NEGATIVE,
    QUEUED,
    REATTEMPT,
    STARTED,
    Campaign,
    Fdd,
    Negative,
    Negatives,
    Upload,
    decode,
    encode,
)
from domain.campaigns.work import Work, read, shown_instant

Place = tuple[str, str, int]


def records_of(work: Work, request_id: str, number: str) -> list[int]:
    """The records of the request with that number."""
    first = work.book.get(key("n", request_id, number))
    if first is None:
        return []
    record_no, several = decode(tuple[int, bool], first)
    if not several:
        return [record_no]
    prefix = key("n", request_id, number) + b"/"
    return [record_no, *(int(row_key[-8:]) for row_key, _ in every(work.book, prefix))]


def add_records(work: Work, request_id: str, records: Sequence[tuple[int, str]]) -> set[int]:
    """Remembers the numbers of records; those of them that have one before them with the same."""
    prefix = f"n/{request_id}/"
    keys = [(prefix + number).encode() for _, number in records]
    known = dict(zip(keys, work.book.get_all(keys), strict=True))
    put: dict[bytes, bytes] = {}
    twice: set[int] = set()
    for row_key, (record_no, _) in zip(keys, records, strict=True):
        raw = known[row_key]
        if raw is None:
            known[row_key] = put[row_key] = encode((record_no, False))
            continue
        twice.add(record_no)
        first, several = decode(tuple[int, bool], raw)
        if not several:
            known[row_key] = put[row_key] = encode((first, True))
        put[row_key + f"/{record_no:08}".encode()] = b""
    work.book.put_all(list(put.items()))
    return twice


def negatives(
    work: Work, campaign: Campaign, listed: Numbers, about: Upload, dry_run: bool
) -> dict[str, Any]:
    """One part of a file. Returns the figures so far; of a dry run those of this part."""
    request_id = campaign.request_id
    upload_key = key("u", request_id, about.upload_id)
    upload = None if dry_run else read(work.book, upload_key, Upload)
    upload = about if upload is None else upload
    figures, total = upload.figures, campaign.negatives
    where = places(work, campaign)
    seen, first, again = set[str](), listed.first or 1, frozenset(listed.again)
    country = campaign.flow.country
    numbers = [normalised(str(text).strip(), country) for text in listed.rows]
    _prefetch(work, request_id, numbers, where)
    for row_no, (text, number) in enumerate(zip(listed.rows, numbers, strict=True), first):
        verdict = "invalid"
        records: list[int] = []
        if number is not None:
            records = records_of(work, request_id, number)
            verdict = "matched" if records else "unknown"
            if dry_run:
                new = number not in seen and row_no not in again
            else:
                known = read(work.book, key("x", request_id, number), Negative)
                new = known is None or upload.upload_id not in known.uploads
            figures.distinct += new
            if number not in seen:
                seen.add(number)
                strike(work, campaign, records, where, figures, dry_run, new)
        _count(figures, verdict)
        if not dry_run:
            if number is not None:
                _add_negative(work, campaign, number, upload.upload_id)
            _count(total, verdict)
            _store_row(work, upload, request_id, row_no, text, number, verdict)
    if not dry_run:
        upload.done = not listed.more
        work.book.put(upload_key, encode(upload))
        work.book.store("negative_uploads", f"{request_id}/{upload.upload_id}",
                        {"request_id": request_id, **upload_json(upload)})  # fmt: skip
        work.tabs(campaign, _today(work, campaign)).negative += len(listed.rows)
        unpark(work, campaign)
    return upload_json(upload)


def _prefetch(work: Work, request_id: str, numbers: list[str | None], where: list[Place]) -> None:
    """Looks up together what a part of a file will ask for."""
    valid = [number for number in numbers if number is not None]
    work.book.prefetch([key(kind, request_id, each) for each in valid for kind in ("n", "x")])
    records = [record_no for each in valid for record_no in records_of(work, request_id, each)]
    refs = (Ref(request_id, *place, record_no) for place in where for record_no in records)
    work.book.prefetch([ref.key for ref in refs])


def _today(work: Work, campaign: Campaign) -> str:
    return day_of(campaign.flow.timezone, work.now_ms)


def _count(figures: Negatives, verdict: str) -> None:
    figures.rows += 1
    if verdict == "matched":
        figures.matched += 1
    elif verdict == "unknown":
        figures.unknown += 1
    else:
        figures.invalid += 1


def _add_negative(work: Work, campaign: Campaign, number: str, upload_id: str) -> None:
    row_key = key("x", campaign.request_id, number)
    found = read(work.book, row_key, Negative)
    if found is None:
        campaign.negatives.distinct += 1
        found = Negative(True, work.now_ms)
    found.active = True
    if upload_id not in found.uploads:
        found.uploads.append(upload_id)
    work.book.put(row_key, encode(found))


def _store_row(
    work: Work,
    upload: Upload,
    request_id: str,
    row_no: int,
    text: object,
    number: str | None,
    verdict: str,
) -> None:
    row = {
        "request_id": request_id,
        "upload_id": upload.upload_id,
        "row": row_no,
        "value": str(text),
        "number": number,
        "result": verdict,
        "by": upload.actor,
        "at": shown_instant(upload.at_ms),
        "filename": upload.filename,
    }
    work.book.store("negative_numbers", f"{request_id}/{upload.upload_id}/{row_no}", row)


def upload_json(upload: Upload) -> dict[str, Any]:
    """A file of negatives and its figures."""
    found = upload.figures
    return {
        "upload_id": upload.upload_id,
        "filename": upload.filename,
        "by": upload.actor,
        "reason": upload.reason,
        "at": shown_instant(upload.at_ms),
        "rows": found.rows,
        "matched": found.matched,
        "unknown": found.unknown,
        "invalid": found.invalid,
        "distinct": found.distinct,
        "fdds": {"negative": found.fdds_negative, "already_started": found.fdds_started},
    }


def strike(
    work: Work,
    campaign: Campaign,
    records: list[int],
    where: list[Place],
    figures: Negatives,
    dry_run: bool,
    new: bool = True,
) -> None:
    """Takes a number's FDDs in progress out: not ordered ones now, leased ones by a cancel.

    A number that isn't `new` to its list was told of by an earlier part: of it counts only what
    becomes NEGATIVE now.
    """
    if dry_run and not new:
        return
    for record_no in records:
        for day, slot, revision in where:
            ref = Ref(campaign.request_id, day, slot, revision, record_no)
            fdd = load(work, ref)
            if fdd is None:
                continue
            if fdd.state in (CREATED, QUEUED, REATTEMPT):
                figures.fdds_negative += 1
                if not dry_run:
                    unqueue(work, campaign, ref, fdd)
                    note(work, fdd, "negative", NEGATIVE, {"listed": True})
                    move(work, campaign, ref, fdd, NEGATIVE)
                    save(work, campaign, ref, fdd)
            elif fdd.state == LEASED and not dry_run:
                cancel(work, campaign, ref, fdd, "negative")
            elif fdd.state == STARTED:
                figures.fdds_started += new
                if not dry_run:
                    mark(fdd, "negative_after_start")
                    note(work, fdd, "negative", "left alone: it has started", None)
                    save(work, campaign, ref, fdd)


def cancel(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, because: str) -> None:
    """Asks the executor to cancel a leased order, once; saves."""
    attempt = fdd.attempts[-1]
    if attempt.cancel is not None:
        return
    attempt.cancel = because
    note(work, fdd, because, "cancel sent", {"attempt": attempt.attempt})
    order = {
        "event": "cancel",
        "execution_id": execution_id(ref.id, attempt.attempt),
        "fdd_id": ref.id,
        "because": because,
    }
    work.book.send("executions", key_of(ref, fdd), order)
    save(work, campaign, ref, fdd)


def withdraw(work: Work, campaign: Campaign, number: str, dry_run: bool) -> bool:
    """Takes a number out of the request's negatives, for days to come; whether it was in."""
    row_key = key("x", campaign.request_id, number)
    found = read(work.book, row_key, Negative)
    if found is None or not found.active:
        return False
    if not dry_run:
        found.active = False
        work.book.put(row_key, encode(found))
    return True


def do_not_call(work: Work, listed: NotToCall, about: Upload, dry_run: bool) -> dict[str, Any]:
    """One part of a file for the do-not-call list, on every shard. `hits`: the rows of the part
    that this shard knows, as a hexadecimal number with bit n for row n; another may know others."""
    figures = about.figures
    live = live_campaigns(work)
    where = {each.request_id: places(work, each) for each in live}
    seen, first, again = set[str](), listed.first or 1, frozenset(listed.again)
    hits = 0
    for index, text in enumerate(listed.rows):
        number = normalised(str(text).strip(), listed.country)
        if number is None:
            _count(figures, "invalid")
            continue
        if dry_run:
            new = number not in seen and first + index not in again
        else:
            known = read(work.book, key("d", number), Negative)
            new = known is None or about.upload_id not in known.uploads
        figures.distinct += new
        matched = False
        for campaign in live:
            records = records_of(work, campaign.request_id, number)
            matched = matched or bool(records)
            if number not in seen:
                spots = where[campaign.request_id]
                strike(work, campaign, records, spots, figures, dry_run, new)
        seen.add(number)
        _count(figures, "matched" if matched else "unknown")
        hits |= matched << index
        if not dry_run:
            _list_number(work, number, about, listed.expires_ms)
    return {**upload_json(about), "hits": f"{hits:x}"}


def _list_number(work: Work, number: str, about: Upload, expires_ms: int | None) -> None:
    upload_id = about.upload_id
    row_key = key("d", number)
    found = read(work.book, row_key, Negative)
    if found is None:
        work.add_do_not_call(1)
    uploads = [] if found is None else [each for each in found.uploads if each != upload_id]
    at_ms = work.now_ms if found is None else found.at_ms
    listed = [*uploads[-9:], upload_id]
    row = Negative(True, at_ms, listed, expires_ms, about.actor, about.reason)
    work.book.put(row_key, encode(row))


def call_again(work: Work, number: str, dry_run: bool) -> bool:
    """Takes a number off the do-not-call list; whether it was on it."""
    if work.book.get(key("d", number)) is None:
        return False
    if not dry_run:
        work.book.delete(key("d", number))
        work.add_do_not_call(-1)
    return True


def live_campaigns(work: Work) -> list[Campaign]:
    prefix = b"l/"
    live = (work.campaign(at[len(prefix) :].decode()) for at, _ in every(work.book, prefix))
    return [campaign for campaign in live if campaign is not None]
