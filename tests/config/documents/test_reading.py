"""YAML and JSON text: both mean the same, and nothing is guessed."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents.base import DocumentError
from config.documents.reading import parse_documents, read_documents


def only(text: str) -> dict[str, Any]:
    ((found, _),) = parse_documents(text, "f.yaml")
    return found


def refused(text: str, source: str = "f.yaml") -> str:
    with pytest.raises(DocumentError) as caught:
        parse_documents(text, source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("5", 5),
        ("-0", 0),
        ("107374182400", 107374182400),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal("1e3")),
        ("0.1", Decimal("0.1")),
        ("9007199254740993", 9007199254740993),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:00", "12:00"),
        ("1_000", "1_000"),
        ("2024-09-03", "2024-09-03"),
        ("2024-09-03T10:15:07Z", "2024-09-03T10:15:07Z"),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ('""', ""),
        ("1.2.3", "1.2.3"),
        ("5 G", "5 G"),
        ("e5", "e5"),
    ],
)
def test_a_scalar_is_what_json_would_say_or_text(scalar: str, value: object) -> None:
    found = only(f"a: {scalar}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "scalar",
    [
        "007",
        "+5",
        ".5",
        "5.",
        "0x1F",
        "0o17",
        "1.e5",
        ".inf",
        "-.INF",
        ".nan",
        "9" * 1001,
        "1e1001",
    ],
)
def test_a_number_that_json_writes_differently_is_refused(scalar: str) -> None:
    assert refused(f"b: 1\na: {scalar}\n").startswith("f.yaml:2: ")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc<=.", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def as_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f") if "." in format(value, "f") else f"{value:f}.0"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}: {as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return json.dumps(value)


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", max_size=3), JSON, max_size=4))
def test_json_means_the_same_as_json_and_as_yaml(data: dict[str, Any]) -> None:
    text = as_json(data)
    assert parse_documents(text, "f.json") == [(data, "f.json:1")]
    if (
        "\\u" not in text and "\x7f" not in text
    ):  # YAML writes characters beyond 16 bits differently
        assert parse_documents("--- " + text, "f.yaml") == [(data, "f.yaml:1")]


def test_a_file_may_hold_several_documents_each_with_its_line() -> None:
    text = "# first\nname: a\n---\nname: b\n---\n---\n- name: c\n- name: d\n"
    assert parse_documents(text, "f.yaml") == [
        ({"name": "a"}, "f.yaml:2"),
        ({"name": "b"}, "f.yaml:4"),
        ({"name": "c"}, "f.yaml:7"),
        ({"name": "d"}, "f.yaml:8"),
    ]
    assert [found for found, _ in parse_documents('[{"a":1},{"a":2}]', "f.json")] == [
        {"a": 1},
        {"a": 2},
    ]


def test_an_alias_is_a_copy() -> None:
    found = only("a: &x {b: [1]}\nc: *x\n")
    assert found == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert found["a"] is not found["c"]


@pytest.mark.parametrize(
    ("text", "line", "about"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "each key once"),
        ("a: 1\n'a': 2\n", 2, "each key once"),
        ("a: [1\n", 2, "quotes"),
        ("op: >=\n", 1, "quotes"),
        ("a:\n\tb: 1\n", 2, "quotes"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "no tags"),
        ("a: !secret x\n", 1, "no tags"),
        ("a: !!int '5'\n", 1, "no tags"),
        ("a: !!set {b}\n", 1, "no tags"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "keys that are text"),
        ("? [a]\n: 1\n", 1, "keys that are text"),
        ("a: &x [*x]\n", 1, "levels"),
        ('a: "\\ud800"\n', 1, "UTF-8"),
        ("- 1\n", 1, "object"),
        ("just text\n", 1, "object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, about: str) -> None:
    message = refused(text)
    assert message.startswith(f"f.yaml:{line}: document: ")
    assert about in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n",
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e1001}',
        '{"a":%s}' % ("9" * 5000),
        '{"a":"\\ud800"}',
        '{"a":' * 5000,
        "a: " + "[" * 5000,
        "a: \x00",
        "[]",
    ],
)
def test_text_without_documents_or_beyond_limits_is_refused(text: str) -> None:
    assert refused(text).startswith("f.yaml")


def test_aliases_of_aliases_do_not_fill_memory() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "at most 50000 values" in refused("\n".join(lines))


def test_yaml_in_brackets_is_yaml() -> None:
    assert only("{kind: aggregator, at: 12:00, n: [1.5]}") == {
        "kind": "aggregator",
        "at": "12:00",
        "n": [Decimal("1.5")],
    }


def test_a_repeated_key_of_json_is_named() -> None:
    assert '"b" is not accepted' in refused('{"a": 1, "b": 2, "b": 3}')


def test_wrong_json_has_its_line() -> None:
    assert refused('{"a": 1,\n "b": }', "f.json").startswith("f.json:2: ")


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffname: ü\n".encode())
    assert read_documents(path) == [({"name": "ü"}, f"{path}:1")]


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(DocumentError, match=r"a\.yaml.*can be read"):
        read_documents(path)
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(DocumentError, match=r"a\.yaml:2: .*UTF-8") as caught:
        read_documents(path)
    assert caught.value.where == f"{path}:2"
