"""The running system, as its console tells of it."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from app.cli.command import Context
from app.cli.http import Client, Refused, Response, ServerUnreachable, segment
from app.doctor.check import SKEW_S, Check, State, one_line
from config.names import Names
from domain.aggregation.instants import parse_instant, print_instant

ASK_S = 5.0
REFUSED = "refused_document"
SHOWN = 3
NOT_READY = "shards-not-ready"
MOVING_S = 3.0  # what a partition takes that moves, and a worker that catches up
LETTERS_MS = 86_400_000  # older ones were seen
# code of a trouble -> how bad it is; others are wrong
MILD: dict[str, State] = dict.fromkeys(("dead-letters", "overloaded", "standby-behind"), "warning")
# what other looks tell in more detail
ELSEWHERE = {"topic-settings", "trial-clock"}


@dataclass
class Serving:
    """`inputs`: public names of the topics that aggregators in force read. `users`: whether one is
    set up, None when it doesn't tell."""

    running: bool = False
    inputs: list[str] = field(default_factory=list)
    users: bool | None = None
    checks: list[Check] = field(default_factory=list)


def serving(context: Context) -> Serving:
    """Whether the server answers, is ready and has our time; what it says is wrong."""
    settings, origins = context.settings, context.resolved.origins
    client = Client(settings.server, settings.token, timeout_s=ASK_S)
    told = Serving()
    try:
        response = client.request("GET", "/health/live")
    except ServerUnreachable as error:
        named = origins["server"] != "default"
        todo = "start one with `sluice up`, or name another with SLUICE_SERVER"
        detail = f"{settings.server}: {error.detail}"
        told.checks.append(Check("server", "wrong" if named else "warning", detail, todo))
        return told
    except Refused as error:
        todo = "check SLUICE_SERVER: it should name a sluice console"
        told.checks.append(Check("server", "wrong", f"{settings.server}: {error}", todo))
        return told
    told.running = True
    told.checks += [Check("server", "ok", f"{settings.server} answers"), *skew(response)]
    try:
        client.request("GET", "/health/ready")
    except Refused as error:
        todo = "wait until it has recovered its state"
        told.checks.append(Check("readiness", "warning", one_line(error), todo))
    try:
        items = client.items("/api/documents", {"kind": "aggregator", "limit": 1000})
        told.inputs = sorted({_input_of(item) for item in items})
        told.users = _any_users(client, signed_in=bool(settings.token))
        overview = client.get("/api/overview")
        told.checks += list(_troubles(client, overview))
        told.checks += list(_ownerless(client, overview, Names(settings.app_id).sessions_in))
        told.checks += list(_refused(client, str(overview["now"])))
    except (Refused, ServerUnreachable) as error:
        told.checks.append(Check("documents", "wrong", one_line(error), _how_in(error)))
    return told


def _how_in(error: Refused | ServerUnreachable) -> str:
    if isinstance(error, Refused) and error.status in (401, 403):
        return "`sluice tokens create NAME --role viewer`, and set SLUICE_TOKEN_FILE"
    return "see the server's log"


def _input_of(item: dict[str, Any]) -> str:
    return str(item["document"].get("input", "usage"))


def _any_users(client: Client, *, signed_in: bool) -> bool | None:
    if signed_in:
        return True
    try:
        me = client.get("/api/me")
    except Refused:
        return True  # somebody has to sign in
    return None if "name" not in me else me["name"] != "local"


def _troubles(client: Client, overview: Mapping[str, Any]) -> Iterator[Check]:
    """What the Overview shows, and sessions that are overdue and stay so."""
    for trouble in overview.get("troubles", ()):
        if trouble["code"] in ELSEWHERE:
            continue
        detail = f"{trouble['what']}. {trouble['means']}"
        yield Check(trouble["code"], MILD.get(trouble["code"], "wrong"), detail, trouble["todo"])
    if overview.get("overdue"):
        client.pause(MOVING_S)
        overview = client.get("/api/overview")
    if overview.get("overdue"):
        detail = f"{overview['overdue']:,} sessions or more are due and not flushed"
        todo = "see on Processes which worker is behind; one that owns their partitions must run"
        yield Check("sessions", "wrong", detail, todo)


def _ownerless(client: Client, overview: Mapping[str, Any], topic: str) -> Iterator[Check]:
    """Partitions of the session state that no live worker has, also after a moment: the Overview
    waits longer before it calls that a trouble."""
    if any(trouble["code"] == NOT_READY for trouble in overview["troubles"]):
        return
    (count,) = [t["partitions"] for t in client.items("/api/topics", {}) if t["name"] == topic] or [
        0
    ]
    missing = _missing(overview, count)
    if missing:
        client.pause(MOVING_S)
        missing = _missing(client.get("/api/overview"), count)
    if missing:
        detail = f"no worker has partition {', '.join(map(str, missing))} of the session state: "
        detail += "its records wait and are not lost, its sessions are not flushed"
        todo = "start a worker with the role aggregate; the log of one that ended says why"
        yield Check(NOT_READY, "wrong", detail, todo)


def _missing(overview: Mapping[str, Any], count: int) -> list[int]:
    workers = [worker for worker in overview.get("workers", ()) if worker["state"] != "gone"]
    owned = {shard for worker in workers for shard in worker["shards"]}
    return [number for number in range(count) if number not in owned]


def _refused(client: Client, now: str) -> Iterator[Check]:
    """Control messages of the last day that are not in force because they don't validate."""
    since = print_instant((parse_instant(now) or 0) - LETTERS_MS)
    found = client.get("/api/dead-letters", {"reason": REFUSED, "limit": SHOWN})
    for letter in found.get("items", ()):
        if letter["at"] < since or _mended(client, letter):
            continue
        where = f"{letter['topic']} partition {letter['partition']} offset {letter['offset']}"
        detail = f"a document was refused ({where}): {letter['detail']}"
        todo = "mend it and `sluice config apply FILE`; what was in force before still is"
        yield Check("document", "wrong", detail, todo)


def _mended(client: Client, letter: Mapping[str, Any]) -> bool:
    """Whether a later version of the document was taken."""
    try:
        message = json.loads(base64.b64decode(letter["original"]))
        path = f"/api/documents/{segment(message['kind'])}/{segment(message['name'])}"
    except (ValueError, TypeError, KeyError):
        return False  # nobody can tell which document was meant
    try:
        found = client.find(path)
    except Refused:
        return False  # no kind or name that there could be
    return found is not None and str(found["at"]) > str(letter["at"])


def skew(response: Response) -> Iterator[Check]:
    """Both machines' clocks, by the answer's Date."""
    try:
        theirs_s = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return
    # Date is cut to whole seconds: its middle is nearest to the truth.
    skew_s = time.time() - (theirs_s + 0.5)
    if abs(skew_s) > SKEW_S:
        detail = f"this machine and the server are {abs(skew_s):.0f} s apart"
        yield Check("time", "warning", detail, "run NTP on both")
