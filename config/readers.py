"""Readers of single settings: from text to a value.

Each takes the text as the person wrote it and returns the value, or raises ValueError whose
message is what would be right ("a whole number from 1 to 10000").
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)(?::\d{1,5})?"
_KAFKA = re.compile(rf"kafka://{_HOST}(?:,{_HOST})*/?")
# What Kafka admits in the name of a topic or group.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def text(value: str) -> str:
    """Anything, as it is."""
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`, both included."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return read


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A number of seconds from `low` to `high`, both included."""

    def read(value: str) -> float:
        if not re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII) or not low <= float(value) <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}")
        return float(value)

    return read


def time_of_day(value: str) -> str:
    """A time of day, to the minute."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        raise ValueError("a time of day like 12:00")
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """One of `choices`, in whatever case; the value has the case of the choice."""

    def read(value: str) -> str:
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise ValueError("one of " + ", ".join(choices))

    return read


def folder(value: str) -> Path:
    """A path of the file system; `~` is the home folder."""
    if "\0" in value or not value:
        raise ValueError("a path")
    try:
        return Path(value).expanduser()
    except RuntimeError:  # no such user
        raise ValueError("a path; the home folder it names is not known") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a mistyped one is meant for; empty for none."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.87)), "")


def unknown_variables(
    environ: Iterable[str], known: Mapping[str, str], prefix: str
) -> Iterable[str]:
    """Remarks on environment variables that look like a setting mistyped; `known` are those that
    are read, with what they set."""
    read = {**known} | {f"{env}_FILE": name for env, name in known.items()}
    for variable in sorted(environ):
        if variable.startswith(prefix) and variable not in read:
            near = nearest(variable, read)
            if near:
                yield f"environment variable {variable} is no setting; it looks like {near}"


def why(error: Exception) -> str:
    """A few words for why a file can't be read."""
    return error.strerror or "" if isinstance(error, OSError) else " ".join(str(error).split())


def name(value: str) -> str:
    """What may begin the name of a topic or consumer group in Kafka."""
    if not _NAME.fullmatch(value):
        raise ValueError("letters, digits, '.', '_' and '-', at most 100 of them")
    return value


def stream(value: str) -> str:
    """The address of a stream."""
    if value != "embedded://" and not _KAFKA.fullmatch(value):
        raise ValueError("embedded:// or kafka://host:port,host:port")
    return value.rstrip("/") if value.startswith("kafka://") else value


def url(*schemes: str) -> Callable[[str], str]:
    """An address with one of `schemes` and a host."""
    wanted = " or ".join(f"{scheme}://…" for scheme in schemes)

    def read(value: str) -> str:
        try:
            parts = urlsplit(value)
            right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise ValueError(wanted)
        return value

    return read


def folder_or_s3(value: str) -> str:
    """A folder, or s3://bucket/prefix."""
    if "://" in value:
        return url("s3")(value)
    return str(folder(value))


def host(value: str) -> str:
    """A host name or an address to listen on."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", value):
        raise ValueError("a host name or an IP address")
    return value


def listed(value: str) -> tuple[str, ...]:
    """Items between commas or blanks."""
    return tuple(item for item in re.split(r"[,\s]+", value) if item)


def clock(value: str) -> str:
    """`trial:FILE`, the only clock besides the system's."""
    if not value.startswith("trial:") or not value.removeprefix("trial:"):
        raise ValueError("trial:FILE, or empty for the system clock")
    return value


def masked(value: str) -> str:
    """An address without the password it holds; other text as it is."""
    return re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", value)
