"""Documents of kind `digest`, read and refused."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.registry import load_document
from domain.metrics.digest import Digest, DigestMetric

DAILY: dict[str, Any] = {
    "kind": "digest", "name": "daily", "every": "day", "at": "07:30",
    "timezone": "Europe/Stockholm", "to": ["ann@example.com"],
    "metrics": [{"metric": "github.stars", "where": {"repo": "a"}}],
}  # fmt: skip


def test_a_digest_is_read() -> None:
    assert load_document(DAILY) == Digest(
        name="daily", every="day", at=450, timezone="Europe/Stockholm", to=("ann@example.com",),
        metrics=(DigestMetric("github.stars", {"repo": ("a",)}),),
    )  # fmt: skip


def test_what_is_left_out_has_its_usual_value() -> None:
    body = {"kind": "digest", "name": "w", "every": "week", "dashboard": "growth"}
    assert load_document(body) == Digest(name="w", every="week", at=420, dashboard="growth")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"every": "month"}, "every"),
        ({"at": "7:00"}, "at"),
        ({"timezone": "Mars"}, "timezone"),
        ({"to": ["ann"]}, "to[0]"),
        ({"to": ["a@x.example", "a@x.example"]}, "to[1]"),
        ({"dashboard": "growth"}, ""),
        ({"metrics": []}, "metrics"),
        ({"metrics": [{"metric": "m", "group": ["a"]}]}, "metrics[0].group"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document({**DAILY, **change})
    assert [problem.path for problem in caught.value.problems] == [path]
