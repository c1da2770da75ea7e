"""Kinds of documents, the examples, and how problems are told."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import config
from config.documents.aggregator import refuse_for_stream
from config.documents.base import MISSING, DocumentError, Problem, shown
from config.documents.reading import read_documents
from config.documents.registry import KINDS, load_document
from domain.aggregation.document import Aggregator
from domain.aggregation.numbers import NotANumber
from tests.config.documents.samples import document

EXAMPLES = sorted((Path(config.__file__).parent / "examples").glob("*.yaml"))


def test_a_document_becomes_what_its_kind_says() -> None:
    found = load_document(document())
    assert isinstance(found, Aggregator)
    assert (found.kind, found.name) == ("aggregator", "data-per-account")


@pytest.mark.parametrize("kind", ["agregator", "Aggregator", 5, None, MISSING])
def test_an_unknown_kind_is_refused_with_the_known_ones(kind: object) -> None:
    data = document()
    data["kind"] = kind
    if kind is MISSING:
        del data["kind"]
    with pytest.raises(DocumentError) as caught:
        load_document(data)
    (problem,) = caught.value.problems
    assert (problem.path, problem.value) == ("kind", kind)
    assert all(known in problem.expected for known in KINDS)


@pytest.mark.parametrize("data", [None, [], "x", 5, {5: 1}])
def test_what_is_no_object_is_no_document(data: object) -> None:
    with pytest.raises(DocumentError, match=r"^document: .*expected an object"):
        load_document(data)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_applied_and_is_marked(path: Path) -> None:
    ((data, _),) = read_documents(path)
    found = load_document(data)
    assert isinstance(found, Aggregator)
    assert found.name == f"example-{path.stem}"
    assert found.input == "example-usage"
    assert refuse_for_stream(found) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.5"),
        (Decimal("1e400"), "1E+400"),
        ([Decimal("1.50")], "[1.5]"),
        (NotANumber("1e5000"), "1e5000"),
        (10**4000, "a number of more than 80 digits"),
        ({"a": [1, None, True, "ü"]}, '{"a": [1, null, true, "ü"]}'),
        ("\ud800", '"\\ud800"'),
        ("x" * 200, '"' + "x" * 76 + "..."),
    ],
)
def test_a_value_is_shown_as_short_json(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_problem_says_where_what_and_what_would_be_right() -> None:
    problem = Problem("group.fields[0]", 5, "a dotted path")
    sentence = "group.fields[0]: 5 is not accepted, expected a dotted path"
    assert str(problem) == sentence
    assert problem.as_json() == {
        "path": "group.fields[0]",
        "value": "5",
        "expected": "a dotted path",
        "detail": sentence,
    }
    assert str(Problem("name", MISSING, "a name")) == "name: missing, expected a name"
    assert Problem("name", MISSING, "a name").as_json()["value"] is None


def test_problems_survive_being_sent() -> None:
    data = {**document(), "ttl_days": NotANumber("1e5000"), "event_id": Decimal("1.5")}
    with pytest.raises(DocumentError) as caught:
        load_document(data)
    sent = msgspec.json.decode(msgspec.json.encode([p.as_json() for p in caught.value.problems]))
    assert [problem["value"] for problem in sent] == ["1.5", "1e5000"]
