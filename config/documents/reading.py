"""Reads documents from YAML and JSON text, so that both mean the same.

Numbers keep every digit: int, else Decimal. Only what JSON calls a number, true, false or null is
one; so `NO`, `12:00`, `1_000` and timestamps stay text, while a number that JSON writes
differently (`007`, `0x1F`, `.5`, `.inf`) is refused instead of guessed. Keys are text. A key
given twice is refused, and so are tags. Aliases are copied out, within the limits below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from config.documents.base import DocumentError, Problem
from domain.aggregation.numbers import Number, number_from_text

VALUES_MAX = 50_000  # in one document: a hundred times a long one, little memory
DEPTH_MAX = 60

_LIMITS = "at most 1,000 digits, exponents within 1,000"
_YAML_HINT = "YAML (text that begins with > = * & ! % @ ` or holds `: ` needs quotes)"
_TAGS = {kind: f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str")}
_PLAIN = "plain"  # our tag for a scalar without quotes
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_OTHER_NUMBER = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9a-fA-F]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def read_documents(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Every document of a file, each with its place "file:line"; a file may hold several, as
    YAML documents or in an array. Raises DocumentError, with `where`, for a file that can't be
    read, isn't YAML or JSON, or holds something else than objects.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        problem = Problem("", str(path), f"a file that can be read ({error.strerror})")
        raise DocumentError([problem], str(path)) from error
    except UnicodeDecodeError as error:
        problem = Problem("", error.object[error.start : error.end].hex(), "UTF-8 text")
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DocumentError([problem], f"{path}:{line}") from error
    return parse_documents(text, str(path))


def parse_documents(text: str, source: str) -> list[tuple[dict[str, Any], str]]:
    """As `read_documents`, from text; `source` names it in places and errors."""
    found: list[tuple[dict[str, Any], str]] = []
    for value, where in _values(text, source):
        if not isinstance(value, dict):
            raise DocumentError([Problem("", value, "an object with kind and name")], where)
        found.append((value, where))
    if not found:
        raise DocumentError([Problem("", None, "at least one document")], source)
    return found


def _values(text: str, source: str) -> Iterator[tuple[object, str]]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = _json(text, source)
        except json.JSONDecodeError as error:
            if source.endswith(".json"):  # else it may be YAML in brackets
                raise _unreadable(f"{source}:{error.lineno}", error.msg, "JSON") from error
        else:
            items = value if isinstance(value, list) else [value]
            yield from ((item, f"{source}:1") for item in items)
            return
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            nodes: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
            for item in nodes:
                if not (_is_plain(item) and item.value == ""):  # nothing between two `---`
                    yield _Builder(source).build(item, 0), _where(source, item)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        detail = error.problem or error.context or "unreadable"
        raise _unreadable(f"{source}:{line}", detail, _YAML_HINT) from error
    except yaml.YAMLError as error:
        raise _unreadable(source, str(error).splitlines()[0], "YAML") from error
    except RecursionError as error:
        raise _unreadable(source, "nested too deep", f"at most {DEPTH_MAX} levels") from error


def _unreadable(where: str, detail: str, expected: str) -> DocumentError:
    return DocumentError([Problem("", detail, expected)], where)


def _json(text: str, source: str) -> object:
    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(items)
        if len(made) < len(items):
            keys = [key for key, _ in items]
            repeated = next(key for key in keys if keys.count(key) > 1)
            raise _unreadable(source, repeated, "each key once in an object")
        return made

    def numeric(token: str) -> Number:
        found = number_from_text(token)
        if found is None:
            raise _unreadable(source, token, _LIMITS)
        return found

    try:
        value: object = json.loads(
            text,
            parse_int=numeric,
            parse_float=numeric,
            parse_constant=numeric,
            object_pairs_hook=pairs,
        )
        msgspec.json.encode(value)  # only to find halves of surrogate pairs, which no UTF-8 holds
    except UnicodeEncodeError as error:
        raise _unreadable(source, error.object[error.start], "text that UTF-8 can hold") from error
    except RecursionError as error:
        raise _unreadable(source, "nested too deep", f"at most {DEPTH_MAX} levels") from error
    return value


class _Loader(yaml.SafeLoader):
    """Leaves it to `_Builder` what scalars without quotes mean."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _PLAIN
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # PyYAML's
        return tag


class _Builder:
    """Makes values of the nodes of one document."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0

    def build(self, node: yaml.Node, depth: int) -> object:
        self.count += 1
        if self.count > VALUES_MAX or depth > DEPTH_MAX:
            limits = f"at most {VALUES_MAX} values, {DEPTH_MAX} levels deep"
            raise _unreadable(_where(self.source, node), "too large a document", limits)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAGS["map"]:
            made: dict[str, object] = {}
            for key_node, value_node in node.value:
                key = self._key(key_node)
                if key in made:
                    where = _where(self.source, key_node)
                    raise _unreadable(where, key, "each key once in an object")
                made[key] = self.build(value_node, depth + 1)
            return made
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAGS["seq"]:
            return [self.build(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAGS["str"]:
            return self._utf8(node)
        if _is_plain(node):
            return self._plain(node)
        raise _unreadable(_where(self.source, node), node.tag, "no tags")

    def _key(self, node: yaml.Node) -> str:
        merge = _is_plain(node) and node.value == "<<"
        if isinstance(node, yaml.ScalarNode) and node.tag in (_PLAIN, _TAGS["str"]) and not merge:
            return self._utf8(node)
        raise _unreadable(_where(self.source, node), str(node.value), "keys that are text")

    def _plain(self, node: yaml.Node) -> object:
        text = self._utf8(node)
        if text in _WORDS:
            return _WORDS[text]
        number = number_from_text(text)
        if number is None and _OTHER_NUMBER.fullmatch(text):
            expected = f"a number as in JSON ({_LIMITS}), or quotes around it if it is text"
            raise _unreadable(_where(self.source, node), text, expected)
        return text if number is None else number

    def _utf8(self, node: yaml.Node) -> str:
        text = str(node.value)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            where = _where(self.source, node)
            raise _unreadable(where, text, "text that UTF-8 can hold") from error
        return text


def _is_plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN


def _where(source: str, node: yaml.Node) -> str:
    return f"{source}:{node.start_mark.line + 1}"
