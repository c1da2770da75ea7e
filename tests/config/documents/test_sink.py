"""Documents of kind sink: what is read, and what is refused with its path."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.registry import load_document
from domain.sinks.document import Batch, Files, Http, MySql, Retry, Rotate, Sink

HTTP: dict[str, Any] = {"url": "https://billing.example/hooks", "secret": "BILLING_SECRET"}
MYSQL: dict[str, Any] = {"url": "mysql://u@db:3306/billing", "table": "flushes", "password": "PW"}


def sink(**document: Any) -> Sink:
    found = load_document({"kind": "sink", "name": "s", **document})
    assert isinstance(found, Sink)
    return found


def test_the_defaults() -> None:
    found = sink(http=HTTP)
    assert found == Sink("s", Http(HTTP["url"], ("BILLING_SECRET",)))
    assert (found.input, found.start, found.retry) == ("aggregates", "beginning", Retry())


def test_all_that_can_be_said() -> None:
    found = sink(
        input="aggregates.audit",
        **{"from": "end"},
        aggregator="a",
        http={**HTTP, "secret_next": "N", "batch": {"records": 5, "seconds": 0.5}, "timeout": "3s"},
        retry={"first": "500ms", "most": {"minutes": 2}, "times": 7},
    )
    assert found.target == Http(
        HTTP["url"], ("BILLING_SECRET", "N"), Batch(5, 0.5), timeout_ms=3000
    )
    assert (found.start, found.aggregators) == ("end", ("a",))
    assert found.retry == Retry(500, 120_000, 7)


def test_tables_and_files() -> None:
    target = sink(mysql={**MYSQL, "columns": {"total": {"path": "values.x", "type": "number"}}})
    assert isinstance(target.target, MySql)
    assert [column.name for column in target.target.columns] == ["id", "total"]
    variable = sink(mysql={"url": "BILLING_DB", "table": "t"}).target
    assert isinstance(variable, MySql)
    assert (variable.url, variable.url_from) == (None, "BILLING_DB")
    assert sink(files={"path": "/out", "rotate": {"records": 9}}).target == Files(
        "/out", "jsonl", Rotate(None, 9, None)
    )


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, ""),
        ({"http": HTTP, "mysql": MYSQL}, ""),
        ({"http": {"url": HTTP["url"]}}, "http.secret"),
        ({"http": {**HTTP, "secret": "whsec_abc=="}}, "http.secret"),
        ({"http": {**HTTP, "secret": "whsec_abc"}}, "http.secret"),
        ({"http": {**HTTP, "url": "ftp://x"}}, "http.url"),
        ({"http": {**HTTP, "url": "https://u:pw@x/"}}, "http.url"),
        ({"http": {**HTTP, "batch": {"records": 0}}}, "http.batch.records"),
        ({"http": {**HTTP, "batch": {}, "concurrency": 2}}, "http.concurrency"),
        ({"mysql": {**MYSQL, "url": "mysql://u:pw@db/x"}}, "mysql.url"),
        ({"mysql": {**MYSQL, "url": "mysql://u@db"}}, "mysql.url"),
        ({"mysql": {**MYSQL, "table": "a`b"}}, "mysql.table"),
        ({"mysql": {**MYSQL, "columns": {"a b": "x"}}}, "mysql.columns.a b"),
        (
            {"mysql": {**MYSQL, "columns": {"a": {"path": "x", "type": "no"}}}},
            "mysql.columns.a.type",
        ),
        ({"files": {"path": "/x", "rotate": {}}}, "files.rotate"),
        ({"files": {"path": "/x", "format": "csv"}}, "files.format"),
        ({"files": {"path": "/x", "columns": {"a": "b"}}}, "files.columns"),
        ({"http": HTTP, "retry": {"first": "1h", "most": "1s"}}, "retry.most"),
        ({"http": HTTP, "retry": {"first": "soon"}}, "retry.first"),
        ({"http": HTTP, "input": "sink-dead-letters"}, "input"),
        ({"http": HTTP, "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(document: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document({"kind": "sink", "name": "s", **document})
    assert path in [problem.path for problem in caught.value.problems]
    assert "pw" not in str(caught.value)
    assert "whsec" not in str(caught.value)
