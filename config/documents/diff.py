"""What changed between two documents as decoded from YAML or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from domain.aggregation.numbers import canonical


class Change(msgspec.Struct, frozen=True):
    """One difference. `before` or `after` is UNSET (left out of JSON) where there is nothing:
    a key or item that was added has no `before`, one that was removed no `after`.
    """

    path: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


def diff(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Change]:
    """The changes from `old` to `new`, in the order of the keys of `new`; then what is gone.

    None is no document: everything was added, or removed. Equal are documents that mean the same
    whatever they were written in: the order of keys doesn't matter, 1, 1.0 and 1e0 are equal, but
    `1`, "1" and true are not. Lists are compared item by item, in order. An extra key, present in
    one document only, is one change at its path with its whole value, also if its value is what
    the other means by default: the text changed, so it is a version of its own.
    """
    return list(_changes("", old or {}, new or {}))


def _changes(path: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            place = f"{path}.{key}" if path else key
            yield from _changes(place, old.get(key, msgspec.UNSET), new.get(key, msgspec.UNSET))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else msgspec.UNSET
            after = new[index] if index < len(new) else msgspec.UNSET
            yield from _changes(f"{path}[{index}]", before, after)
    elif not _equal(old, new):
        yield Change(path, old, new)


def _equal(old: Any, new: Any) -> bool:
    """Of two values of which at least one is no object, and at least one no array."""
    if old is msgspec.UNSET or new is msgspec.UNSET:
        return old is new
    if isinstance(old, Mapping | list) or isinstance(new, Mapping | list):
        return False
    return canonical(old) == canonical(new)
