"""What one campaign shard answers: plain data out of a Book of one moment. Nothing is changed."""

from collections.abc import Callable, Mapping
from typing import Any

from app.facade.campaigns.listing import listed
from domain.aggregation.instants import print_instant
from domain.campaigns import views
from domain.campaigns.alerts import alerts_json
from domain.campaigns.book import Book
from domain.campaigns.commands import command_json
from domain.campaigns.days import day_of, parse_day
from domain.campaigns.document import Flows
from domain.campaigns.erase import over_before
from domain.campaigns.keys import key, record_key, ref_of_key
from domain.campaigns.negatives import upload_json
from domain.campaigns.numbers import normalised
from domain.campaigns.rows import (
    Campaign,
    Command,
    Counts,
    Head,
    Negative,
    Record,
    Upload,
    decode,
)
from domain.campaigns.why import why_json
from domain.campaigns.work import read

PAGE = 500  # rows of a scan
LOOKED_AT = 5_000  # numbers not to call for an answer, expired ones too: some 20 ms

Ask = Callable[[Book, Mapping[str, Any], int, Flows], Any]


def campaign(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """`GET /api/campaigns/{id}`; None when it is unknown here."""
    return views.campaign_json(book, asked["request_id"], _day(asked["day"]), now_ms, flows)


def about(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """What the interface needs to know of a campaign; None when it is unknown here."""
    one = read(book, key("c", asked["request_id"]), Campaign)
    if one is None:
        return None
    return {
        "name": one.name,
        "today": day_of(one.flow.timezone, now_ms),
        "zone": one.flow.timezone,
        "country": one.flow.country,
        "columns": one.columns,
        "rejected": one.rejected,
        "created_ms": one.created_ms,
        "digest": one.digest,
        "processed": one.processed_ms is not None,
        "days": [each.day for each in one.days],
        "revoked": one.revoked,
    }


def ids(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """[request id, name, zone, whether FDDs may start on another day than theirs, days that FDDs
    were made on] of every campaign. Without slots an FDD waits for a channel, over night too."""
    found, after = [], b""
    while rows := book.scan(b"c/", after, PAGE):
        for _, raw in rows:
            one = decode(Campaign, raw)
            days = [each.day for each in one.days]
            moves = one.retriggered or not one.slots
            found.append([one.request_id, one.name, one.flow.timezone, moves, days])
        after = rows[-1][0]
    return found


def census(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """[request id, name, whether it is revoked, whether it has an FDD of a day that is partly in
    [from_ms, to_ms)] of every campaign."""
    with_fdds = views.with_fdds(book, asked["from_ms"], asked["to_ms"])
    found, after = [], b""
    while rows := book.scan(b"c/", after, PAGE):
        for _, raw in rows:
            one = decode(Head, raw)
            found.append([one.request_id, one.name, one.revoked, one.request_id in with_fdds])
        after = rows[-1][0]
    return found


def over(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """Ids of the campaigns whose last day was before `day`, erased or not."""
    found, after = [], b""
    while rows := book.scan(b"c/", after, PAGE):
        for _, raw in rows:
            one = decode(Campaign, raw)
            if over_before(one, asked["day"]):
                found.append(one.request_id)
        after = rows[-1][0]
    return found


def fdd(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """`GET /api/fdds/{id}`."""
    return views.fdd_json(book, asked["fdd_id"])


def why(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """`GET /api/fdds/{id}/why`."""
    return why_json(book, asked["fdd_id"])


def command(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """How a command went; None when it isn't known here."""
    row = read(book, key("k", asked["id"]), Command)
    return None if row is None else command_json(row)


def negative_files(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """Files of negatives, the newest first; None for an unknown campaign."""
    request_id = asked["request_id"]
    if book.get(key("c", request_id)) is None:
        return None
    found: list[tuple[int, dict[str, Any]]] = []
    after, prefix = b"", key("u", request_id) + b"/"
    while rows := book.scan(prefix, after, PAGE):
        for _, raw in rows:
            one = decode(Upload, raw)
            shown = upload_json(one)
            shown["actor"] = shown.pop("by")
            found.append((one.at_ms, shown))
        after = rows[-1][0]
    found.sort(key=lambda item: (-item[0], item[1]["upload_id"]))
    return [shown for _, shown in found]


def is_negative(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """The number in E.164 when it is an active negative of the request, else None."""
    one = read(book, key("c", asked["request_id"]), Campaign)
    number = None if one is None else normalised(asked["number"], one.flow.country)
    if number is None:
        return None
    row = read(book, key("x", asked["request_id"], number), Negative)
    return number if row is not None and row.active else None


def do_not_call(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """[number, row] of those in force behind `after`, at most `limit`, or the one of `number`.

    For who asks with `reached` they are `{"items", "reached"}`: the last number that was looked at,
    None when there is none behind it. A worker of an older version takes a short list for the end.
    """
    if asked["number"] is not None:
        row = read(book, key("d", asked["number"]), Negative)
        return [] if row is None else _in_force(asked["number"], row, now_ms)
    prefix, limit = b"d/", asked["limit"]
    after = prefix + asked["after"].encode() if asked["after"] else b""
    found: list[list[Any]] = []
    looked = 0
    while len(found) < limit and looked < LOOKED_AT:
        rows = book.scan(prefix, after, PAGE)
        for after, raw in rows:
            looked += 1
            found += _in_force(after[len(prefix) :].decode(), decode(Negative, raw), now_ms)
            if len(found) == limit:
                break
        if len(rows) < PAGE:
            break
    if not asked.get("reached"):
        return found
    more = after and book.scan(prefix, after, 1)
    return {"items": found, "reached": after[len(prefix) :].decode() if more else None}


def _in_force(number: str, row: Negative, now_ms: int) -> list[list[Any]]:
    if row.expires_ms is not None and row.expires_ms <= now_ms:
        return []
    return [[number, row.at_ms, row.expires_ms, row.actor, row.reason]]


def alerts(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """Alerts that have started and not ended, as on the topic."""
    return alerts_json(book)


def mean_seconds(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """How long an execution of a flow takes, None when that isn't known."""
    flow = flows(asked["flow"])
    return None if flow is None else views.mean_seconds(book, flow)


def records(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """[number, fields] by record number."""
    found = {}
    for record_no in asked["numbers"]:
        row = read(book, record_key(asked["request_id"], record_no), Record)
        if row is not None:
            found[record_no] = [row.number, row.fields]
    return found


def figures(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """The counts of every day and slot: [day, slot, created, reached, states]."""
    request_id = asked["request_id"]
    found, after = [], b""
    prefix = key("z", request_id) + b"/"
    while rows := book.scan(prefix, after, PAGE):
        for row_key, raw in rows:
            day, slot = row_key[len(prefix) :].decode().split("/")
            counts = decode(Counts, raw)
            found.append([day, slot, counts.created, counts.reached, counts.states])
        after = rows[-1][0]
    return found


def fdds_kept(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """FDDs as they are in the documents store, by key behind `after`: {"items","after"}."""
    prefix = key("f", asked["request_id"]) + b"/"
    after = asked["after"].encode()
    rows = book.scan(prefix, after, asked["limit"])
    ids = [ref_of_key(row_key).id for row_key, _ in rows]
    items = [views.fdd_json(book, ident) for ident in ids]
    return {"items": items, "after": rows[-1][0].decode() if rows else ""}


def _day(text: str | None) -> str | None:
    return None if text is None else parse_day(text)


def shown_not_to_call(row: list[Any]) -> dict[str, Any]:
    """A number of the do-not-call list as it is printed."""
    number, at_ms, expires_ms, actor, reason = row
    expires = None if expires_ms is None else print_instant(expires_ms)
    at = print_instant(at_ms)
    return {"number": number, "expires": expires, "at": at, "actor": actor, "reason": reason}


ASKS: Mapping[str, Ask] = {
    one.__name__: one
    for one in (
        campaign, listed, about, ids, census, over, fdd, why, command, negative_files, is_negative,
        do_not_call, alerts, mean_seconds, records, figures, fdds_kept,
    )
}  # fmt: skip
