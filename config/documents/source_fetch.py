"""What a source's `fetch` may hold, and which credentials it takes: by connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from config.documents import fields, spans
from config.documents.base import At, Reader, Section, section
from domain.impressions.layout import TABLES
from domain.metrics.moments import moment_ms

Read = Callable[[Section], dict[str, Any]]
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Shape:
    """`read` takes a connector's keys. `credentials` None: any. `scheduled`: False for one that is
    pushed to. `base_url`: whether the document must say where it is."""

    read: Read
    credentials: tuple[str, ...] | None = ()
    scheduled: bool = True
    base_url: bool = False


def shape_of(connector: str) -> Shape | None:
    """The shape of a connector of the product; None for another package's."""
    return SHAPES.get(connector)


def _moment(value: object, at: At) -> str | None:
    if isinstance(value, str) and moment_ms(value) is not None:
        return value
    at.refuse(value, "a date like 2024-01-01 or an instant like 2024-01-01T00:00:00Z")
    return None


def _texts(value: object, at: At) -> tuple[str, ...] | None:
    return fields.once(fields.text, "names")(value, at)


def _repository(value: object, at: At) -> str | None:
    found = fields.text(value, at)
    if found is not None and (found.count("/") != 1 or not all(found.split("/"))):
        at.refuse(value, "a repository as OWNER/NAME")
        return None
    return found


def _word(value: object, at: At) -> str | None:
    """Text, or the digits of a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return fields.text(value, at)


def _long_text(value: object, at: At) -> str | None:
    """Text of any length, lines too."""
    if isinstance(value, str) and 0 < len(value) <= 20_000:
        return " ".join(value.split())
    at.refuse(value, "text of 1 to 20,000 characters")
    return None


def _query(value: object, at: At) -> dict[str, str] | None:
    parts = section(value, at, "name, soql")
    if parts is None:
        return None
    name = parts.required("name", fields.text, "a name for the query")
    soql = parts.required("soql", _long_text, "a SOQL query")
    parts.close()
    return None if name is None or soql is None else {"name": name, "soql": soql}


def _given(parts: Section, **readers: Reader[Any]) -> dict[str, Any]:
    """Those of the keys that are there."""
    found = {
        name: parts.optional(name.rstrip("_"), reader)  # `from_` stands for from
        for name, reader in readers.items()
    }
    return {name.rstrip("_"): value for name, value in found.items() if value is not None}


def _must(parts: Section, name: str, reader: Reader[Any], expected: str) -> dict[str, Any]:
    return {name: parts.required(name, reader, expected)}


def _github(parts: Section) -> dict[str, Any]:
    repositories = fields.once(_repository, "repositories")
    return {
        **_must(parts, "repositories", repositories, "a list of OWNER/NAME"),
        **_given(parts, from_=_moment, traffic=fields.boolean),
    }


def _hook(parts: Section) -> dict[str, Any]:
    return _given(parts, once=fields.choice(("delivery", "body")))


def _salesforce(parts: Section) -> dict[str, Any]:
    queries = fields.several(_query, "queries")
    return {
        **_must(parts, "queries", queries, "a list of {name, soql}"),
        **_given(parts, from_=_moment),
    }


def _analytics(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "property", _word, "the number of a GA4 property"),
        **_must(parts, "dimensions", _texts, "a list of dimensions"),
        **_must(parts, "metrics", _texts, "a list of metrics"),
        **_given(parts, from_=_moment),
    }


def _youtube(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "channel", fields.text, "the id of a channel"),
        **_given(parts, metrics=_texts, from_=_moment),
    }


def _linkedin(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "organization", _word, "the id of an organization"),
        **_given(parts, from_=_moment),
    }


def _twitter(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "username", fields.text, "the name of an account"),
        **_given(parts, from_=_moment),
    }


def _meltwater(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "search", _word, "the id of a search"),
        **_given(parts, from_=_moment),
    }


def _rankings(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "csv", fields.text, "the URL or path of a CSV file"),
        **_must(parts, "ts", fields.text, "the column that holds the time"),
    }


def _logs(parts: Section) -> dict[str, Any]:
    return {
        **_must(parts, "bucket", fields.text, "the bucket that the logs are in"),
        **_given(
            parts, prefix=fields.text, overlap=spans.span(0, 366 * _DAY_MS), region=fields.text
        ),
    }


def _impressions(parts: Section) -> dict[str, Any]:
    return _given(parts, table=fields.choice(TABLES))


def _none(_: Section) -> dict[str, Any]:
    return {}


def _http_json(parts: Section) -> dict[str, Any]:
    return _given(
        parts, path=fields.text, params=_params, headers=_params, records=fields.path, key=_key,
        ts=fields.path, paging=_paging, cursor=_moves, from_=_moment,
    )  # fmt: skip


def _key(value: object, at: At) -> tuple[str, ...] | None:
    if isinstance(value, list | tuple):
        return fields.once(fields.path, "paths")(value, at)
    found = fields.path(value, at)
    return None if found is None else (found,)


key = _key
"""One path, or several."""


def _params(value: object, at: At) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        at.refuse(value, "an object of names and values")
        return None
    before = len(at.problems)
    found = {}
    for name, each in value.items():
        if isinstance(each, bool):
            found[str(name)] = "true" if each else "false"
            continue
        number = fields.number(each)
        text = str(number) if number is not None else fields.text(each, at.key(str(name)))
        found[str(name)] = text or ""
    return found if len(at.problems) == before else None


def _paging(value: object, at: At) -> object:
    if isinstance(value, str):
        return fields.choice(("link", "page", "offset"))(value, at)
    parts = section(value, at, "next, param; or link, page or offset")
    if parts is None:
        return None
    following = parts.required("next", fields.path, "the path of what the next page is asked with")
    param = parts.defaulted("param", fields.text, "next")
    parts.close()
    return None if following is None else {"next": following, "param": param}


def _moves(value: object, at: At) -> dict[str, str] | None:
    parts = section(value, at, "field, param")
    if parts is None:
        return None
    field = parts.required("field", fields.path, "the path of the value that moves on")
    param = parts.required("param", fields.text, "the parameter that asks for what is behind it")
    parts.close()
    return None if field is None or param is None else {"field": field, "param": param}


_GOOGLE = ("token", "service_account", "client_id", "client_secret", "refresh_token")
# connector -> its shape
SHAPES: dict[str, Shape] = {
    "http_json": Shape(_http_json, None, base_url=True),
    "github": Shape(_github, ("token",)),
    "github_webhook": Shape(_hook, ("secret", "secret_next"), scheduled=False),
    "salesforce": Shape(
        _salesforce, ("token", "client_id", "client_secret", "refresh_token"), base_url=True
    ),
    "google_analytics": Shape(_analytics, _GOOGLE),
    "youtube": Shape(_youtube, (*_GOOGLE, "key")),
    "impressions": Shape(_impressions),
    "linkedin": Shape(_linkedin, ("token",)),
    "twitter": Shape(_twitter, ("token",)),
    "meltwater": Shape(_meltwater, ("apikey",)),
    "pro_rankings": Shape(_rankings, ("token",)),
    "s3_access_logs": Shape(_logs, ("access_key", "secret_key")),
}
