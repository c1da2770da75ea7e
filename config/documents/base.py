"""What every kind of document shares: problems with a path, and reading one key at a time.

A reader is a function `(value, at) -> T | None`: it returns what it read, or tells `at` what is
wrong and returns None. So one pass finds every problem of a document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, Protocol, TypeVar

from domain.aggregation.numbers import NotANumber, plain
from domain.errors import SluiceError

T = TypeVar("T")


class Document(Protocol):
    """One valid document of any kind; `isinstance` with the kind's own class tells which."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""The value of a problem with a key that is not there."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document.

    path: `group.fields[0]`, empty for the document as a whole. value: as it was read, or MISSING.
    expected: what would be accepted.
    """

    path: str
    value: object
    expected: str

    def __str__(self) -> str:
        what = "missing" if self.value is MISSING else f"{shown(self.value)} is not accepted"
        return f"{self.path or 'document'}: {what}, expected {self.expected}"

    def as_json(self) -> dict[str, str | None]:
        """For `errors[]` of a problem document; `value` is JSON text, null when missing."""
        value = None if self.value is MISSING else shown(self.value)
        return {"path": self.path, "value": value, "expected": self.expected, "detail": str(self)}


class DocumentError(SluiceError):
    """A document is refused. `problems` are all that were found; one line each as text.

    where: the file and line it came from, when it came from one.
    """

    def __init__(self, problems: Iterable[Problem], where: str = "") -> None:
        self.problems = tuple(problems)
        self.where = where
        prefix = f"{where}: " if where else ""
        super().__init__("\n".join(f"{prefix}{problem}" for problem in self.problems))


class At:
    """A place in a document, and the list that its problems go to."""

    __slots__ = ("path", "problems")

    def __init__(self, path: str = "", problems: list[Problem] | None = None) -> None:
        self.path = path
        self.problems: list[Problem] = [] if problems is None else problems

    def key(self, name: str) -> At:
        """The place of a key of the object here."""
        return At(f"{self.path}.{name}" if self.path else name, self.problems)

    def item(self, index: int) -> At:
        """The place of an item of the array here."""
        return At(f"{self.path}[{index}]", self.problems)

    def refuse(self, value: object, expected: str) -> None:
        """Adds a problem."""
        self.problems.append(Problem(self.path, value, expected))


Reader = Callable[[object, At], T | None]


class Section:
    """One object of a document. Keys are taken one by one; `close` refuses what is left."""

    def __init__(self, data: Mapping[str, object], at: At) -> None:
        self.data = data
        self.at = at
        self._known: list[str] = []

    def has(self, key: str) -> bool:
        """Whether the key is there, with whatever value."""
        return key in self.data

    def required(self, key: str, reader: Callable[[object, At], T], expected: str) -> T | None:
        """What `reader` makes of the key; a problem that says `expected` without it."""
        self._known.append(key)
        if key in self.data:
            return reader(self.data[key], self.at.key(key))
        self.at.key(key).refuse(MISSING, expected)
        return None

    def optional(self, key: str, reader: Callable[[object, At], T]) -> T | None:
        """What `reader` makes of the key, None without it. A null is not "without"."""
        self._known.append(key)
        return reader(self.data[key], self.at.key(key)) if key in self.data else None

    def defaulted(self, key: str, reader: Reader[T], default: T) -> T:
        """As `optional`, but `default` without it, and also where it was refused."""
        found = self.optional(key, reader)
        return default if found is None else found

    def only_with(
        self, key: str, reader: Callable[[object, At], T], allowed: bool, condition: str
    ) -> T | None:
        """As `optional`, but the key is refused unless `allowed`: it would do nothing."""
        if key in self.data and not allowed:
            self._known.append(key)
            self.at.key(key).refuse(self.data[key], f"no `{key}` except {condition}")
            return None
        return self.optional(key, reader)

    def close(self, expected: str | None = None) -> None:
        """Refuses every key that nobody asked for, with the nearest that exists."""
        for key, value in self.data.items():
            if key not in self._known:
                self.at.key(key).refuse(
                    value, expected or f"a key that is {nearest(key, self._known)}"
                )


def section(value: object, at: At, keys: str) -> Section | None:
    """The object at this place; `keys` names what it may hold, for the problem."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return Section(value, at)
    at.refuse(value, f"an object with {keys}")
    return None


def nearest(word: str, choices: Iterable[str]) -> str:
    """What would be accepted instead of `word`, the likeliest first."""
    words = list(choices)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    listed = "one of " + ", ".join(words)
    return f"`{close[0]}` ({listed})" if close else listed


def shown(value: object) -> str:
    """A value as JSON text, shortened to fit a line; always encodable."""
    text = _text(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def _text(value: object) -> str:
    if isinstance(value, NotANumber):
        return value.text
    if isinstance(value, Decimal):
        return plain(value) if value.is_finite() and abs(value.adjusted()) < 80 else str(value)
    if isinstance(value, int) and abs(value) >= 10**80:
        return "a number of more than 80 digits"
    if isinstance(value, Mapping):
        items = (f"{json.dumps(str(key))}: {_text(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=repr)
