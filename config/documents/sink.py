"""Reads a document of kind `sink`, and refuses what is impossible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlsplit

from config.documents import conditions, fields, spans
from config.documents.base import MISSING, At, DocumentError, Reader, Section, section
from domain.sinks.columns import FLUSH_COLUMNS
from domain.sinks.document import (
    DEFAULT_INPUT,
    Batch,
    Beginning,
    Column,
    ColumnType,
    FileFormat,
    Files,
    Http,
    Mode,
    MySql,
    Retry,
    Rotate,
    Sink,
    Target,
)

TARGETS = ("http", "mysql", "files")
_STARTS: tuple[Beginning, ...] = get_args(Beginning)
_MODES: tuple[Mode, ...] = get_args(Mode)
_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HOUR_MS = 3_600_000
DEFAULT_ROTATE = Rotate(64 << 20, None, 300.0)


def load_sink(data: Mapping[str, object]) -> Sink:
    """The sink that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Sink.kind,)), Sink.kind)
    name = top.required("name", fields.name, "a name")
    source = top.defaulted("input", fields.topic, DEFAULT_INPUT)
    start: Beginning = top.defaulted("from", fields.choice(_STARTS), "beginning")
    aggregators = top.optional("aggregator", _aggregators) or ()
    filtered = top.optional("filter", conditions.condition(conditions.of_record))
    targets: list[Target | None] = [
        top.optional("http", _http),
        top.optional("mysql", _mysql),
        top.optional("files", _files),
    ]
    retry = top.defaulted("retry", _retry, Retry())
    top.close()
    if sum(map(top.has, TARGETS)) != 1:
        top.at.refuse([key for key in TARGETS if top.has(key)], f"one of {', '.join(TARGETS)}")
    target = next((each for each in targets if each is not None), None)
    if top.at.problems or name is None or target is None:
        raise DocumentError(top.at.problems)
    return Sink(name, target, source, start, aggregators, filtered, retry)


def _aggregators(value: object, at: At) -> tuple[str, ...] | None:
    if isinstance(value, list | tuple):
        return fields.once(fields.name, "aggregators")(value, at)
    found = fields.name(value, at)
    return None if found is None else (found,)


def _variable(value: object, at: At) -> str | None:
    secret = isinstance(value, str) and value.startswith("whsec_")
    if isinstance(value, str) and _VARIABLE.fullmatch(value) and not secret:
        return value
    at.refuse("…", "the name of an environment variable that holds it, like BILLING_SECRET")
    return None


def _url(*schemes: str) -> Reader[str]:
    wanted = " or ".join(f"{scheme}://HOST…" for scheme in schemes)

    def read(value: object, at: At) -> str | None:
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
            right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right or not isinstance(value, str) or not value.isprintable() or " " in value:
            at.refuse(value, f"an address {wanted}")
        elif parts.password is not None:
            at.refuse("…", "an address without a password: name an environment variable for it")
        else:
            return value
        return None

    return read


def _http(value: object, at: At) -> Http | None:
    parts = section(value, at, "url, secret, batch, timeout")
    if parts is None:
        return None
    before = len(at.problems)
    url = parts.required("url", _url("http", "https"), "the address that records are posted to")
    secret = parts.required("secret", _variable, "the environment variable with the secret")
    following = parts.optional("secret_next", _variable)
    batch = parts.optional("batch", _batch(1_000))
    timeout = parts.defaulted("timeout", spans.span(10, _HOUR_MS), 10_000)
    single = not parts.has("batch")
    concurrency = parts.only_with("concurrency", fields.whole(1, 100), single, "without batch")
    mode = parts.only_with("cloudevents", fields.choice(_MODES), single, "without batch")
    parts.close()
    if len(at.problems) > before or url is None or secret is None:
        return None
    secrets = (secret,) if following is None else (secret, following)
    return Http(url, secrets, batch, timeout, concurrency or 8, mode or "structured")


def _batch(most: int) -> Reader[Batch]:
    def read(value: object, at: At) -> Batch | None:
        parts = section(value, at, "records, seconds")
        if parts is None:
            return None
        before = len(at.problems)
        records = parts.defaulted("records", fields.whole(1, most), min(100, most))
        seconds = parts.defaulted("seconds", spans.seconds(0, 3600), 1.0)
        parts.close()
        return Batch(records, seconds) if len(at.problems) == before else None

    return read


def _mysql(value: object, at: At) -> MySql | None:
    parts = section(value, at, "url, table, columns")
    if parts is None:
        return None
    before = len(at.problems)
    url = parts.required("url", _mysql_url, "mysql://USER@HOST/DB, or an environment variable")
    literal = url is not None and "://" in url
    password = parts.only_with("password", _variable, literal, "beside a url that is an address")
    table = parts.required("table", _word(_TABLE, "table"), "the name of the table")
    columns: tuple[Column, ...] = parts.defaulted("columns", _columns, FLUSH_COLUMNS)
    batch = parts.defaulted("batch", _batch(10_000), Batch(500, 0.2))
    timeout = parts.defaulted("timeout", spans.span(10, _HOUR_MS), 30_000)
    parts.close()
    if len(at.problems) > before or url is None or table is None:
        return None
    ident = Column("id", "id", "text")
    columns = (ident, *(column for column in columns if column.name != "id"))
    address, variable = (url, None) if literal else (None, url)
    return MySql(address, variable, password, table, columns, batch, timeout)


def _mysql_url(value: object, at: At) -> str | None:
    if isinstance(value, str) and "://" not in value:
        return _variable(value, at)
    found = _url("mysql")(value, at)
    if found is not None and not urlsplit(found).path.strip("/"):
        at.refuse(value, "an address with the database: mysql://USER@HOST:3306/DB")
        return None
    return found


def _word(shape: re.Pattern[str], what: str) -> Reader[str]:
    def read(value: object, at: At) -> str | None:
        if isinstance(value, str) and shape.fullmatch(value):
            return value
        at.refuse(value, f"the name of a {what}: letters, digits and _, at most 64")
        return None

    return read


def _columns(value: object, at: At) -> tuple[Column, ...] | None:
    """`{NAME: path}`, or `{NAME: {path: …, type: …}}`; text without a type."""
    if not isinstance(value, Mapping) or not value:
        at.refuse(value, "an object of column names, each with the path of its value")
        return None
    before = len(at.problems)
    found = []
    for name, inner in value.items():
        place = at.key(str(name))
        word = _word(_COLUMN, "column")(name, place)
        column = _column(inner, place)
        if word is not None and column is not None:
            found.append(Column(word, *column))
    return tuple(found) if len(at.problems) == before else None


def _column(value: object, at: At) -> tuple[str, ColumnType] | None:
    if isinstance(value, str):
        path = fields.path(value, at)
        return None if path is None else (path, "text")
    parts = section(value, at, "path, type")
    if parts is None:
        return None
    before = len(at.problems)
    path = parts.required("path", fields.path, "the path of the value in the record")
    kind: ColumnType = parts.defaulted("type", fields.choice(_TYPES), "text")
    parts.close()
    return (path, kind) if len(at.problems) == before and path is not None else None


def _files(value: object, at: At) -> Files | None:
    parts = section(value, at, "path, format, rotate")
    if parts is None:
        return None
    before = len(at.problems)
    path = parts.required("path", fields.text, "the folder that files are written to")
    kind: FileFormat = parts.defaulted("format", fields.choice(_FORMATS), "jsonl")
    rotate = parts.defaulted("rotate", _rotate, DEFAULT_ROTATE)
    tabular = kind == "parquet"
    columns = parts.only_with("columns", _columns, tabular, "with `format: parquet`")
    parts.close()
    if len(at.problems) > before or path is None:
        return None
    return Files(path, kind, rotate, (columns or FLUSH_COLUMNS) if tabular else ())


def _rotate(value: object, at: At) -> Rotate | None:
    parts = section(value, at, "bytes, records, seconds")
    if parts is None:
        return None
    before = len(at.problems)
    size = parts.optional("bytes", fields.whole(1, 1 << 40))
    records = parts.optional("records", fields.whole(1, 10**9))
    seconds = parts.optional("seconds", spans.seconds(0.1, 31 * 86_400))
    parts.close()
    if len(at.problems) == before and size is None and records is None and seconds is None:
        at.refuse(value if value else MISSING, "at least one of bytes, records, seconds")
    return Rotate(size, records, seconds) if len(at.problems) == before else None


def _retry(value: object, at: At) -> Retry | None:
    parts = section(value, at, "first, most, times")
    if parts is None:
        return None
    before = len(at.problems)
    first = parts.defaulted("first", spans.span(10, _HOUR_MS), 1_000)
    most = parts.defaulted("most", spans.span(10, 24 * _HOUR_MS), max(first, 300_000))
    times = parts.optional("times", fields.whole(1, 1_000_000))
    parts.close()
    if len(at.problems) == before and most < first:
        at.key("most").refuse(value, "a span that is not below `first`")
    return Retry(first, most, times) if len(at.problems) == before else None
