"""Reads a document of kind `flow`, and refuses what is impossible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import get_args
from urllib.parse import urlsplit

from config.documents import fields
from config.documents.base import MISSING, At, DocumentError, Section, nearest, section
from domain.campaigns.document import (
    DEFAULT_MAX_DAYS,
    DEFAULT_MAX_SLOTS,
    DEFAULT_RESULT_MS,
    WEEKDAYS,
    Executor,
    Flow,
    Reattempts,
    Simulated,
    WorkingTime,
)
from domain.campaigns.numbers import known_country
from domain.campaigns.rows import COMPLETED, FAILED, NO_ACK, NO_RESULT, OUT_OF_SLOT, PARTIAL

CHANNELS_MAX = 1_000_000
ATTEMPTS_MAX = 100  # of one FDD: far above what a person would put up with
SLOTS_MAX = 48  # one each half hour
_EXECUTORS: tuple[Executor, ...] = get_args(Executor)
_NEVER_AGAIN = (NO_ACK, NO_RESULT, OUT_OF_SLOT, "CONTACT_POLICY")
_OUTCOMES = (COMPLETED, PARTIAL, FAILED)


def load_flow(data: Mapping[str, object]) -> Flow:
    """The flow that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Flow.kind,)), Flow.kind)
    name = top.required("name", fields.name, "a name")
    zone = top.required("timezone", fields.timezone, "an IANA time zone like Asia/Kolkata")
    country = top.required("country", _country, "a country's two letters, like IN")
    hours = top.required("working_time", _working_time, "an object with start, end, days")
    holidays = top.defaulted("holidays", fields.once(_date, "dates", empty=True), ())
    channels = top.required("channels", fields.whole(1, CHANNELS_MAX), "a whole number")
    lease_ms = top.required("lease", fields.duration, "a duration like {seconds: 120}")
    result_ms = top.defaulted("result", fields.duration, DEFAULT_RESULT_MS)
    reattempts = top.defaulted("reattempts", _reattempts, Reattempts())
    slots = top.defaulted("max_slots_per_day", fields.whole(1, SLOTS_MAX), DEFAULT_MAX_SLOTS)
    days = top.defaulted("max_days", fields.whole(1, 366), DEFAULT_MAX_DAYS)
    executor = top.optional("executor", fields.choice(_EXECUTORS)) or "topic"
    posts = executor == "http"
    url = top.only_with("url", _url, posts, "with `executor: http`")
    if posts and not top.has("url"):
        top.at.key("url").refuse(MISSING, "the address that orders are posted to")
    simulated = top.optional("simulated", _simulated)
    if executor == "simulated" and not top.has("simulated"):
        simulated = Simulated()
    top.close()
    if (
        top.at.problems
        or name is None
        or zone is None
        or country is None
        or hours is None
        or channels is None
        or lease_ms is None
    ):
        raise DocumentError(top.at.problems)
    return Flow(
        name=name,
        timezone=zone,
        country=country,
        working_time=hours,
        holidays=holidays,
        channels=channels,
        lease_ms=lease_ms,
        result_ms=result_ms,
        reattempts=reattempts,
        max_slots_per_day=slots,
        max_days=days,
        executor=executor,
        url=url,
        simulated=simulated,
    )


def _country(value: object, at: At) -> str | None:
    if isinstance(value, str) and known_country(value):
        return value
    at.refuse(value, "a country's two letters (ISO 3166), like IN or SE")
    return None


def _date(value: object, at: At) -> str | None:
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    at.refuse(value, 'a date like "2026-01-26", as text')
    return None


def _end_of_day(value: object, at: At) -> int | None:
    if value == "24:00":
        return 1440
    before = len(at.problems)
    found = fields.minute_of_day(value, at)
    if found is None:
        del at.problems[before:]
        at.refuse(value, 'a time from "00:01" to "24:00", as text')
    return found


def _working_time(value: object, at: At) -> WorkingTime | None:
    parts = section(value, at, "start, end, days")
    if parts is None:
        return None
    before = len(at.problems)
    start = parts.required("start", fields.minute_of_day, 'a time like "09:00"')
    end = parts.required("end", _end_of_day, 'a time like "21:00"')
    days = parts.optional("days", fields.once(fields.choice(WEEKDAYS), "days"))
    parts.close()
    if start is not None and end is not None and end <= start:
        at.key("end").refuse(parts.data["end"], "a time after start: a night is not over midnight")
    if len(at.problems) > before or start is None or end is None:
        return None
    numbers = tuple(sorted(WEEKDAYS.index(day) for day in days or WEEKDAYS))
    return WorkingTime(start, end, numbers)


def _reattempts(value: object, at: At) -> Reattempts | None:
    parts = section(value, at, "max, after, on")
    if parts is None:
        return None
    before = len(at.problems)
    most = parts.required("max", fields.whole(1, ATTEMPTS_MAX), "the most attempts of an FDD")
    after_ms = parts.required("after", fields.duration, "a duration like {minutes: 10}")
    reasons = parts.required("on", fields.once(_again, "reasons"), "reasons like [BUSY]")
    parts.close()
    if len(at.problems) > before or most is None or after_ms is None or reasons is None:
        return None
    return Reattempts(most, after_ms, reasons)


def _again(value: object, at: At) -> str | None:
    if value in _NEVER_AGAIN:
        at.refuse(value, f"an executor's reason: {value} is never repeated by itself")
        return None
    return fields.text(value, at)


def _url(value: object, at: At) -> str | None:
    if isinstance(value, str) and len(value) <= 2000 and value.isprintable():
        try:
            parts = urlsplit(value)
            known = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            known = False
        if known and parts.username is None and parts.password is None:
            return value
    at.refuse(value, "an address like https://dialler.example/orders, without a password")
    return None


def _simulated(value: object, at: At) -> Simulated | None:
    parts = section(value, at, "seed, outcomes, seconds")
    if parts is None:
        return None
    before = len(at.problems)
    seed = parts.defaulted("seed", fields.whole(0, 1 << 53), 1)
    default = Simulated()
    outcomes = parts.defaulted("outcomes", _outcomes, default.outcomes)
    seconds = parts.defaulted("seconds", _seconds, default.seconds)
    parts.close()
    return Simulated(seed, outcomes, seconds) if len(at.problems) == before else None


def _share(value: object, at: At) -> float | None:
    found = fields.number(value)
    if found is None or not 0 <= found <= 1:
        at.refuse(value, "a share from 0 to 1")
        return None
    return float(found)


def _outcomes(value: object, at: At) -> tuple[tuple[str, str | None, float], ...] | None:
    parts = section(value, at, "outcomes like COMPLETED or FAILED:BUSY and their shares")
    if parts is None:
        return None
    before = len(at.problems)
    found: list[tuple[str, str | None, float]] = []
    for key in parts.data:
        share = parts.optional(key, _share)
        outcome, _, reason = key.partition(":")
        if outcome not in _OUTCOMES or (reason and outcome != FAILED):
            expected = nearest(outcome, [COMPLETED, PARTIAL, f"{FAILED}:BUSY"])
            at.key(key).refuse(key, f"an outcome, {expected}")
        elif share is not None:
            found.append((outcome, reason or None, share))
    if len(at.problems) == before and abs(sum(share for *_, share in found) - 1) > 1e-6:
        at.refuse(value, "shares that add up to 1")
    return tuple(found) if len(at.problems) == before else None


def _length(value: object, at: At) -> float | None:
    found = fields.number(value)
    if found is None or not 0 <= found <= 86_400:
        at.refuse(value, "seconds from 0 to 86400")
        return None
    return float(found)


def _seconds(value: object, at: At) -> tuple[float, float] | None:
    found = fields.several(_length, "seconds: the shortest and the longest")(value, at)
    if found is None:
        return None
    if len(found) != 2 or found[0] > found[1]:
        at.refuse(value, "two numbers of seconds, the shortest and the longest, like [5, 60]")
        return None
    return found[0], found[1]
