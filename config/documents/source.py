"""Reads a document of kind `source`, and refuses what is impossible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from croniter import croniter

from config.documents import fields, source_fetch, source_metrics, spans
from config.documents.base import MISSING, At, DocumentError, Section, nearest, section
from config.documents.source_fetch import SHAPES, Shape, shape_of
from domain.aggregation.numbers import Number
from domain.metrics.source import Budget, Source
from domain.sinks.document import Retry

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_CREDENTIAL = re.compile(r"[a-z_]{1,50}")
_CONNECTOR = re.compile(r"[a-z0-9_]{1,50}")
_HOUR_MS = 3_600_000
GROUP = "sluice.sources"


def load_source(data: Mapping[str, object]) -> Source:
    """The source that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Source.kind,)), Source.kind)
    name = top.required("name", fields.name, "a name")
    connector = top.required("connector", _connector, "a connector")
    shape = None if connector is None else shape_of(connector)
    scheduled = shape is None or shape.scheduled
    schedule = top.only_with("schedule", _schedule, scheduled, "for connectors that fetch")
    if connector is not None and scheduled and not top.has("schedule"):
        top.at.key("schedule").refuse(MISSING, 'a cron line like "*/15 * * * *"')
    zone_name = top.defaulted("timezone", fields.timezone, "UTC")
    base_url = top.optional("base_url", _base_url)
    if shape is not None and shape.base_url and not top.has("base_url"):
        top.at.key("base_url").refuse(MISSING, "where the service is: https://HOST…")
    credentials = top.optional("credentials", _credentials) or {}
    _check_credentials(credentials, shape, top.at.key("credentials"))
    fetch = _fetch(top, shape)
    metrics = top.optional("metrics", source_metrics.metrics) or ()
    key = top.optional("key", source_fetch.key) or fetch.pop("key", None) or ()
    retry = top.defaulted("retry", _retry, Retry(times=5))
    budget = top.optional("budget", _budget)
    top.close()
    if top.at.problems or name is None or connector is None:
        raise DocumentError(top.at.problems)
    return Source(
        name, connector, schedule, zone_name, base_url, credentials, fetch, key, retry, budget,
        metrics,
    )  # fmt: skip


def _connector(value: object, at: At) -> str | None:
    if not isinstance(value, str) or not _CONNECTOR.fullmatch(value):
        at.refuse(value, nearest(str(value), SHAPES))
        return None
    if value in SHAPES or entry_points(group=GROUP, name=value):
        return value
    at.refuse(value, f"{nearest(value, SHAPES)}, or an entry point of group {GROUP}")
    return None


def _schedule(value: object, at: At) -> str | None:
    if isinstance(value, str) and len(value.split()) == 5 and croniter.is_valid(value):
        return value
    at.refuse(value, "a cron line of 5 fields, as text: minute hour day month weekday")
    return None


def _base_url(value: object, at: At) -> str | None:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        host = parts.hostname or ""
        loopback = host in ("localhost", "::1") or host.startswith("127.")
        right = bool(host) and parts.port != 0
        right = right and (parts.scheme == "https" or (parts.scheme == "http" and loopback))
    except ValueError:
        right = False
    if not right or not isinstance(value, str) or not value.isprintable() or " " in value:
        at.refuse(value, "an address https://HOST…; plain http goes to loopback only")
        return None
    if parts.password is not None or parts.username is not None:
        at.refuse("…", "an address without a password: name an environment variable for it")
        return None
    return value


def _credentials(value: object, at: At) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        at.refuse(value, "an object of names, each with an environment variable")
        return None
    before = len(at.problems)
    found = {}
    for name, variable in value.items():
        place = at.key(str(name))
        if not _CREDENTIAL.fullmatch(str(name)):
            place.refuse(name, "a name of a-z and _")
        elif isinstance(variable, str) and _VARIABLE.fullmatch(variable):
            found[str(name)] = variable
        else:  # it may be the secret itself: it is not shown
            place.refuse("…", "the name of an environment variable that holds it")
    return found if len(at.problems) == before else None


def _check_credentials(credentials: Mapping[str, str], shape: Shape | None, at: At) -> None:
    if shape is None or shape.credentials is None:
        return
    for name in credentials:
        if name not in shape.credentials:
            expected = nearest(name, shape.credentials) if shape.credentials else "no credentials"
            at.key(name).refuse(credentials[name], expected)


def _fetch(top: Section, shape: Shape | None) -> dict[str, Any]:
    def read(value: object, at: At) -> dict[str, Any] | None:
        if shape is None:
            return _plain_object(value, at)
        parts = section(value, at, "what to fetch")
        if parts is None:
            return None
        found = shape.read(parts)
        parts.close()
        return found

    if shape is not None and not top.has("fetch"):
        return read({}, top.at.key("fetch")) or {}
    return top.optional("fetch", read) or {}


def _plain_object(value: object, at: At) -> dict[str, Any] | None:
    """Whatever another package's connector takes."""
    found = _plain(value)
    if isinstance(found, dict):
        return found
    at.refuse(value, "an object")
    return None


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    number: Number | None = fields.number(value)
    if number is None:
        return value
    return int(number) if number == int(number) else float(number)


def _retry(value: object, at: At) -> Retry | None:
    parts = section(value, at, "times, first, most")
    if parts is None:
        return None
    before = len(at.problems)
    times = parts.defaulted("times", fields.whole(0, 1_000), 5)
    first = parts.defaulted("first", spans.span(1, _HOUR_MS), 1_000)
    most = parts.defaulted("most", spans.span(1, 24 * _HOUR_MS), max(first, 300_000))
    parts.close()
    if len(at.problems) == before and most < first:
        at.key("most").refuse(value, "a span that is not below `first`")
    return Retry(first, most, times) if len(at.problems) == before else None


def _budget(value: object, at: At) -> Budget | None:
    parts = section(value, at, "requests, per")
    if parts is None:
        return None
    before = len(at.problems)
    requests = parts.required("requests", fields.whole(1, 10**9), "a number of calls")
    per = parts.defaulted("per", spans.span(1_000, 31 * 24 * _HOUR_MS), _HOUR_MS)
    parts.close()
    return None if requests is None or len(at.problems) > before else Budget(requests, per)
