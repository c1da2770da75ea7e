"""Operators' commands as control messages, read and refused."""

from typing import Any

import pytest

from config.commands import read_command
from config.documents.base import DocumentError
from config.documents.registry import load_document
from domain.aggregation.document import Aggregator
from domain.aggregation.rule import compile_rule
from tests.config.documents.samples import document


def read(**said: Any) -> Any:
    found = load_document(document())
    assert isinstance(found, Aggregator)
    base = {"kind": "command", "id": "c1", "aggregator": found.name, "reason": "asked for"}
    meant = {"filter": {"field": "meta.count", "op": ">", "value": 1}}
    return read_command({**base, **meant, **said}, [compile_rule(found, 1)])


@pytest.mark.parametrize("name", ["action", "command"])
def test_the_action_stands_under_either_name(name: str) -> None:
    found = read(**{name: "flush"})
    assert (found.id, found.action, found.reason) == ("c1", "flush", "asked for")


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"command": "erase all"}, "action"),
        ({"action": "flush", "command": "delete"}, "command"),
        ({"action": "flush", "dry_run": True}, "dry_run"),
        ({"action": "flush", "reason": " "}, "reason"),
    ],
)
def test_what_a_command_can_not_have_is_refused(said: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(**said)
    assert path in [problem.path for problem in caught.value.problems]
