"""Which row keys a search by group values has to look at: pure.

A session's key is the canonical JSON array of its group values, so sessions with the same leading
values lie side by side. Values that are given from the left on make a range (all of them: one
key); what is given further right is tested row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import msgspec

from domain.aggregation.numbers import canonical, number_from_text, plain
from domain.aggregation.rule import Rule

Range = tuple[bytes, bytes]
"""[first, end) of row keys."""
Part = tuple[int, tuple[bytes, ...]]
"""A place in the key and the canonical values that are wanted there."""


@dataclass(frozen=True)
class Search:
    """The ranges of row keys to look at, in order, and what else a key must have.

    `exact`: session keys, when the ranges hold those and no others.
    """

    ranges: tuple[Range, ...]
    tests: tuple[Part, ...] = ()
    exact: tuple[bytes, ...] = ()


def places(rule: Rule) -> list[str]:
    """The field that each value of the session key comes from; a zone's place is named ""."""
    found = list(rule.document.group.fields)
    for period in rule.document.group.periods:
        found.append(period.field)
        if period.timezone is None:
            found.append("")
    return found


def candidates(text: str) -> tuple[bytes, ...]:
    """The canonical values that `text` stands for: itself, and what it is as JSON."""
    found = [canonical(text)]
    if text in ("true", "false", "null"):
        found.append(text.encode())
    else:
        number = number_from_text(text)
        if number is not None and plain(number) == text:
            found.append(text.encode())
    return tuple(found)


def search(rule: Rule, group: Mapping[str, str]) -> Search | None:
    """Where the sessions of the rule's group specification with these values are.

    None when it has no such field.
    """
    return find(rule, {field: candidates(text) for field, text in group.items()})


def find(rule: Rule, values: Mapping[str, tuple[bytes, ...]]) -> Search | None:
    """The same by canonical values, any one of which a field may have."""
    fields = places(rule)
    wanted: dict[int, tuple[bytes, ...]] = {}
    for field, some in values.items():
        if field == "" or field not in fields:
            return None
        wanted[fields.index(field)] = some
    leading = 0
    while leading in wanted:
        leading += 1
    starts = [b"[" + b",".join(values) for values in product(*(wanted[i] for i in range(leading)))]
    if leading == len(fields):
        keys = tuple(start + b"]" for start in starts)
        return Search(tuple(sorted(_exactly(rule.prefix + key) for key in keys)), (), keys)
    ranges = [within(rule.prefix + start + (b"," if leading else b"")) for start in starts]
    rest = [(place, values) for place, values in wanted.items() if place >= leading]
    return Search(tuple(sorted(ranges)), tuple(rest))


def searches(rules: Sequence[Rule], group: Mapping[str, str]) -> list[Search]:
    """The same over several versions; each group specification once."""
    by_prefix = {rule.prefix: rule for rule in rules}
    found = [search(rule, group) for _, rule in sorted(by_prefix.items())]
    return [each for each in found if each is not None]


def matches(key: bytes, tests: Sequence[Part]) -> bool:
    """Whether a session key has one of the wanted values at each place."""
    if not tests:
        return True
    if not may_match(key, tests):
        return False
    values = msgspec.json.decode(key, type=list[msgspec.Raw])
    return all(place < len(values) and bytes(values[place]) in wanted for place, wanted in tests)


def may_match(key: bytes, tests: Sequence[Part]) -> bool:
    """Whether a key that ends with a session key has one of the wanted values anywhere: said at
    once, and of most keys it is no."""
    for _, wanted in tests:
        for value in wanted:
            if value in key:
                break
        else:
            return False
    return True


def _exactly(key: bytes) -> Range:
    return key, key + b"\0"


def within(prefix: bytes) -> Range:
    """All keys that begin with `prefix`."""
    shortened = prefix.rstrip(b"\xff")
    if not shortened:
        return prefix, b"\xff" * (len(prefix) + 1)
    return prefix, shortened[:-1] + bytes([shortened[-1] + 1])
