"""What archived attributes are worth."""

import pytest

from domain.errors import Reject
from domain.metrics.document import Mapping, Metric
from domain.metrics.records import (
    Attribute,
    Record,
    attributes_of,
    decode,
    encode,
    key_of,
    number_at,
    record_of,
)

STARS = Metric("github.stars", "counts.stars", "gauge", (("repo", "full.name"), ("of", "owner")))


def test_nested_attributes_are_looked_into() -> None:
    attributes = attributes_of({"counts": {"stars": 3}, "full.name": "a/b", "owner": None, "id": 7})
    assert attributes["counts"] == '{"stars":3}'
    record = record_of(Mapping("s", (STARS,), ("id",)), 5, 1, attributes)
    assert record.key == "7"
    assert record.values[0].value == 3
    assert record.values[0].dimensions == {"repo": "a/b", "of": ""}
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (12, 12), ("12", 12), (" 1.5 ", 1.5), (0.1, 0.1), ("x", None), ("", None), (None, None),
        (True, None), (float("inf"), None), ("1e999", None), (10**400, None), ("007", None),
        (1 << 70, float(1 << 70)),
    ],
)  # fmt: skip
def test_only_numbers_are_values(given: Attribute, wanted: float | None) -> None:
    found = number_at(Metric("m", "v", "counter"), {"v": given})
    assert found == wanted
    assert type(found) is type(wanted)


def test_a_number_in_the_document_is_what_each_record_gives() -> None:
    assert number_at(Metric("m", 1, "counter"), {}) == 1


def test_a_record_without_its_key_is_the_whole_of_it() -> None:
    mapping = Mapping("s", (), ("a", "b"))
    assert key_of(mapping, 1, {"a": 1, "b": "x"}) == '[1,"x"]'
    whole = key_of(mapping, 1, {"a": 1})
    assert whole == key_of(Mapping("s", ()), 1, {"a": 1}) != key_of(mapping, 2, {"a": 1})


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'{"source":"s"}',
        encode(Record("s", "k", 0, 1, {}, [], "Mars/Base")),
        encode(Record("s", "k", 1 << 60, 1, {}, [])),
        encode(Record("s", "k", 0, -1, {}, [])),
        encode(Record("s\0", "k", 0, 1, {}, [])),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(Reject):
        decode(body)
