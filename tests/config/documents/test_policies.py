"""What is asked of a document when it is applied, and not of one that was taken once."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.registry import load_document, load_stored
from tests.config.documents.samples import document

ALERT = {"kind": "alert", "name": "high", "metric": "m", "high": 1, "to": ["a@x.example", "ann"]}
SILENT = {"kind": "alert", "name": "s", "executor_silent": "10m", "to": ["a@x.example", "@"]}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (document() | {"input": "aggregates"}, "output.topic"),
        (ALERT, "to[1]"),
        (SILENT, "to[1]"),
    ],
)
def test_what_could_be_followed_and_is_unwise_is_refused_only_when_it_is_new(
    data: dict[str, Any], path: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document(data)
    assert [problem.path for problem in caught.value.problems] == [path]
    assert load_stored(data).name == data["name"]
