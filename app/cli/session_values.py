"""Sessions by their group values, as the command line takes them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.cli.command import Context
from app.cli.http import segment
from app.literals import literal
from domain.errors import SluiceError, UsageError


class NoSession(SluiceError):
    """No open session has these group values (exit 1)."""

    def __init__(self, aggregator: str, values: Sequence[str]) -> None:
        with_values = f" with {' '.join(values)}" if values else ""
        super().__init__(
            f"{aggregator} has no open session{with_values}\n"
            f"`sluice sessions list {aggregator}` lists those that are open"
        )


class Wanted(NamedTuple):
    """A group value to find. `typed` is the text of the argument, `value` what it says as JSON;
    `exact`: it was written as a JSON string, so only text is meant."""

    field: str
    typed: str
    value: object
    exact: bool

    @property
    def text(self) -> str:
        """What the server looks for: the value's own text, or its JSON."""
        if isinstance(self.value, str):
            return self.value
        from domain.aggregation.numbers import canonical

        return canonical(self.value).decode()

    def is_in(self, session: dict[str, Any]) -> bool:
        """Whether the session has this very value, of this type."""
        if self.field in session["group"]:
            return same(session["group"][self.field], self.value)
        period = session["periods"].get(self.field)
        return period is not None and period["label"] in (self.typed, self.value)


def wanted(values: Sequence[str]) -> list[Wanted]:
    """FIELD=VALUE of the arguments. Raises UsageError."""
    found = []
    for item in values:
        field, equals, text = item.partition("=")
        if not equals or not field:
            raise UsageError(f"{item!r} is not FIELD=VALUE; expected one like account=X")
        value = literal(text)
        found.append(Wanted(field, text, value, isinstance(value, str) and value != text))
    return found


def same(left: object, right: object) -> bool:
    """Equal as group values are: 1 and 1.0 are, 1 and true and "1" are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def find(
    context: Context,
    aggregator: str,
    values: Sequence[Wanted],
    query: dict[str, object],
    least: int = 1,
) -> dict[str, Any]:
    """A page of the sessions with these values; the server looks on until it has `least` of them.

    The server searches by text: 5 finds 5 and "5". Sessions with the very value are preferred;
    where there are none, 5 without quotes means the text too.
    """
    path = f"/api/aggregators/{segment(aggregator)}/sessions"
    page = _page(context, path, query | {f"group.{v.field}": v.text for v in values}, least)
    exact = [item for item in page["items"] if all(value.is_in(item) for value in values)]
    if exact or any(value.exact for value in values):
        return {"items": exact, "next": page["next"]}
    typed = {f"group.{v.field}": v.typed for v in values}
    if any(value.text != value.typed for value in values):
        page = _page(context, path, query | typed, least)
    return {"items": page["items"], "next": page["next"]}


def _page(context: Context, path: str, query: dict[str, object], least: int) -> dict[str, Any]:
    """An answer holds what was found among some thousand sessions: further ones are asked for."""
    page: dict[str, Any] = context.client.get(path, query)
    items = page["items"]
    while page["next"] and len(items) < least:
        page = context.client.get(path, query | {"cursor": page["next"]})
        items += page["items"]
    return {"items": items, "next": page["next"]}
