"""An operator's command, and which open sessions it is for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.aggregation.conditions import expression, predicate
from domain.aggregation.document import All, Compare, Condition
from domain.aggregation.keys import Part, Range, find, places, within
from domain.aggregation.numbers import canonical
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule
from domain.aggregation.session import Session
from domain.errors import Reject

WAYS = 100  # ranges of keys that a filter is worth

Action = Literal["flush", "delete", "set-timeout", "erase"]


@dataclass(frozen=True)
class Command:
    """What an operator wants of the open sessions of an aggregator, and why.

    Either `group` (values by group field, those of a period by label; all must match) or `filter`
    says which; `erase` takes a group only, and means what is left of flushed sessions too. `due_ms`
    comes with `set-timeout` only. `asked` is group, filter and due as they were written.
    """

    id: str
    action: Action
    aggregator: str
    group: Mapping[str, Any] | None
    filter: Condition | None
    due_ms: int | None
    actor: str
    reason: str
    asked: Mapping[str, Any]

    def told(self, at: str) -> dict[str, Any]:
        """Who, when and why, as the audit says it; `at` is when it was given."""
        return {
            "command_id": self.id,
            "action": self.action,
            "actor": self.actor,
            "reason": self.reason,
            "at": at,
        }

    def meant(self) -> Mapping[str, Any]:
        """What was asked, as the audit says it: of an `erase` the fields, but not the values, which
        are to be gone."""
        return {"fields": sorted(self.group or ())} if self.action == "erase" else self.asked


class Selection:
    """The sessions that a command is for. `rules` are all versions of its aggregator.

    `ranges` are those of row keys to look at, in order, each with what else a key must have;
    `exact` are (rule, session key) when they are known, None when any may be meant.
    """

    def __init__(self, rules: Sequence[Rule], command: Command) -> None:
        by_prefix = {rule.prefix: rule for rule in rules}
        self.ranges: list[tuple[Range, tuple[Part, ...]]] = []
        self.exact: list[tuple[Rule, bytes]] | None = []
        values: dict[str, tuple[bytes, ...]] | None = None
        if command.group is not None:
            values = {field: (canonical(value),) for field, value in command.group.items()}
        elif command.filter is not None:
            values = _narrowing(rules, command.filter) or None
        for prefix, rule in sorted(by_prefix.items()):
            if values is None:
                self.ranges.append((within(prefix), ()))
                self.exact = None
                continue
            found = find(rule, values)
            if found is None:
                continue
            self.ranges += [(each, found.tests) for each in found.ranges]
            if not found.exact or command.group is None:
                self.exact = None
            elif self.exact is not None:
                self.exact += [(rule, key) for key in found.exact]
        self._test = None if command.filter is None else compiled(command.filter)

    def takes(self, rule: Rule, key: bytes, session: Session) -> bool:
        """Whether it is for that session, which is open under a key of the ranges.

        `rule` is that of the session's version.
        """
        return self._test is None or self._test(rule, key, session)


def _narrowing(rules: Sequence[Rule], condition: Condition) -> dict[str, tuple[bytes, ...]]:
    """Group fields that can only have some values where the condition holds, and these: then not
    every session has to be looked at. The condition is tested all the same."""
    items = condition.items if isinstance(condition, All) else (condition,)
    results = {slot.operation.name for rule in rules for slot in rule.slots} | {"", "meta.count"}
    found: dict[str, tuple[bytes, ...]] = {}
    ways = 1
    for item in items:
        if not isinstance(item, Compare) or item.op not in ("==", "in") or item.kind == "instant":
            continue
        wanted = item.value if isinstance(item.value, tuple) else (item.value,)
        if item.field in results or item.field in found or ways * len(wanted) > WAYS:
            continue
        try:
            found[item.field] = tuple(dict.fromkeys(map(canonical, wanted)))
        except Reject:
            continue  # a number that no key has
        ways *= len(wanted)
    return found


def compiled(condition: Condition) -> Callable[[Rule, bytes, Session], bool]:
    """The test that a condition makes of an open session; a field it hasn't passes none."""
    fields: list[str] = []
    names: dict[str, Any] = {}

    def leaf(compare: Compare) -> str:
        at = len(fields)
        fields.append(compare.field)
        names[f"test{at}"] = predicate(compare)
        return f"test{at}(value({at}))"

    test = eval(f"lambda value: {expression(condition, leaf)}", names)

    def takes(rule: Rule, key: bytes, session: Session) -> bool:
        values: list[Any] = []

        def value(at: int) -> Any:
            name = fields[at]
            if name == "meta.count":
                return session.count
            for slot in rule.slots:
                if slot.operation.name == name:
                    star = slot.operation.field == "*"
                    return session.count if star else rule.result(slot, session.accumulators)
            if not values:
                values.extend(exact_json(key))
            named = places(rule)
            return values[named.index(name)] if name in named else None

        return bool(test(value))

    return takes


def group_names(rules: Iterable[Rule]) -> list[str]:
    """Every field that sessions of these versions are grouped by, those of periods included."""
    return [name for name in dict.fromkeys(n for rule in rules for n in places(rule)) if name]
