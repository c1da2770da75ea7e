"""Why an FDD is what it is: every rule that was evaluated, what it saw, what it decided."""

from __future__ import annotations

from typing import Any

from domain.campaigns.book import Book
from domain.campaigns.rows import PENDING, Campaign, Fdd, Window
from domain.campaigns.views import find_fdd
from domain.campaigns.work import shown_instant


def why_json(book: Book, fdd_id: str) -> dict[str, Any] | None:
    """`GET /api/fdds/{id}/why`; None if there is no such FDD."""
    found = find_fdd(book, fdd_id)
    if found is None:
        return None
    ref, campaign, fdd, window = found
    rules: list[dict[str, Any]] = []
    for at_ms, rule, decided, saw in fdd.trace:
        if rule == "lease" and decided == "pass":
            rules += _passed(campaign, fdd, window, at_ms)
        rules.append(_rule(at_ms, rule, decided, _saw(saw)))
    return {
        "fdd_id": ref.id,
        "status": "IN_PROGRESS" if fdd.state in PENDING else fdd.state,
        "rules": rules,
    }


def _passed(
    campaign: Campaign, fdd: Fdd, window: Window | None, at_ms: int
) -> list[dict[str, Any]]:
    """The checks before an order: that it was sent means that each of them passed."""
    now = {"now": shown_instant(at_ms)}
    slot: dict[str, Any] = dict(now)
    if window is not None and not _retriggered_by(fdd, at_ms):
        slot["start"], slot["end"] = shown_instant(window.start_ms), shown_instant(window.end_ms)
    else:
        slot["held"] = "to working time" if fdd.held is None else "to its own slot"
    return [
        _rule(at_ms, "revoked", "pass", {"revoked": False}),
        _rule(at_ms, "negative", "pass", {"listed": False}),
        _rule(at_ms, "slot", "pass", slot),
        _rule(at_ms, "window", "pass", {**now, "timezone": campaign.flow.timezone}),
    ]


def _retriggered_by(fdd: Fdd, at_ms: int) -> bool:
    return any(each.ordered_ms == at_ms and each.retriggered for each in fdd.attempts)


def _rule(at_ms: int, rule: str, decided: str, saw: dict[str, Any]) -> dict[str, Any]:
    return {"at": shown_instant(at_ms), "rule": rule, "saw": saw, "decided": decided}


def _saw(saw: Any) -> dict[str, Any]:
    if not isinstance(saw, dict):
        return {}
    instants = ("deadline", "not_after")
    return {
        name: shown_instant(value) if name in instants and isinstance(value, int) else value
        for name, value in saw.items()
    }
