"""Template filters: values as the marks on the page, times and numbers above all."""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import msgspec
from markupsafe import Markup, escape

from app.web import campaign_words, words
from app.web.wire import exact
from domain.aggregation.instants import parse_instant, print_instant
from domain.masking import Masker

MASKING: ContextVar[Masker | None] = ContextVar("masking", default=None)
"""What masks the page that is being rendered; filters can't be given it through macros."""
_RELATIVE = re.compile(r"(<time\b[^>]*\bdata-ms=[^>]*>)[^<]*(</time>)")


def when(at_ms: int | None, now_ms: int, empty: str = "–") -> Markup | str:
    """An instant: relative while it is near, else its date; exact UTC in the title.

    The script shows dates in the viewer's zone and keeps relative ones current.
    """
    if at_ms is None:
        return empty
    utc = print_instant(at_ms)
    exactly = f"{utc[:10]} {utc[11:23]} UTC"
    near = abs(at_ms - now_ms) < words.NEAR_MS
    shown = words.relative(at_ms, now_ms) if near else f"{utc[:10]} {utc[11:16]}"
    return Markup('<time datetime="{}" data-ms="{}" data-utc="{}">{}</time>').format(
        utc, at_ms, exactly, shown
    )


def away(at_ms: int, now_ms: int) -> Markup:
    """An instant as its distance from now, however far, exact UTC in the title."""
    utc = print_instant(at_ms)
    return Markup('<time datetime="{}" data-utc="{} {} UTC">{}</time>').format(
        utc, utc[:10], utc[11:23], words.relative(at_ms, now_ms)
    )


def exactly(at_ms: int | None) -> Markup | str:
    """An instant to the second, in UTC; the script adds the viewer's zone."""
    if at_ms is None:
        return "–"
    utc = print_instant(at_ms)
    return Markup('<time datetime="{}" data-exact data-utc="{} {} UTC">{} {} UTC</time>').format(
        utc, utc[:10], utc[11:23], utc[:10], utc[11:19]
    )


def utc(at_ms: int) -> str:
    """An instant of UTC to the minute, as text."""
    return f"{print_instant(at_ms)[:16].replace('T', ' ')}"


def without_relative(html: str) -> str:
    """The HTML without the words of relative times, which the script keeps current itself."""
    return _RELATIVE.sub(r"\1\2", html)


def shown(value: object, field: str = "") -> Markup:
    """A value of a session, its type to be seen: text as it is, the rest as JSON says it; what a
    field of that name holds is masked for who may not see it.
    """
    masker = MASKING.get()
    if masker is not None:
        value = masker.value(field, value)
    if value is None:
        return Markup('<span class="quiet">null</span>')
    if isinstance(value, bool):
        return Markup("<code>{}</code>").format("true" if value else "false")
    if isinstance(value, dict | list):
        return Markup("<code>{}</code>").format(compact(value))
    return escape(words.number(value))


def phone(number: object) -> str:
    """A phone number as this person may see it; others are found by what they look like."""
    masker = MASKING.get()
    return str(number) if masker is None else masker.loose(masker.number(str(number)))


def compact(value: object) -> str:
    """JSON in one line."""
    return msgspec.json.encode(exact(value)).decode()


def pretty(value: object) -> str:
    """JSON over several lines, numbers exact."""
    return msgspec.json.format(msgspec.json.encode(exact(value)), indent=2).decode()


def ticked(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    pieces = re.split(r"`([^`]*)`", text)
    marked = [
        Markup("<code>{}</code>").format(piece) if n % 2 else escape(piece)
        for n, piece in enumerate(pieces)
    ]
    return Markup("").join(marked)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "when": when,
    "away": away,
    "ago": words.relative,
    "utc": utc,
    "exactly": exactly,
    "instant": parse_instant,
    "shown": shown,
    "phone": phone,
    "slot": campaign_words.slot,
    "reason": campaign_words.reason,
    "rejection": lambda code: campaign_words.REJECTIONS.get(code, campaign_words.spoken(code)),
    "uncreated": lambda name: campaign_words.NOT_CREATED.get(name, campaign_words.spoken(name)),
    "daystate": lambda name: campaign_words.DAY_STATES.get(name, campaign_words.spoken(name)),
    "compact": compact,
    "pretty": pretty,
    "ticked": ticked,
    "count": words.count,
    "some": words.some,
    "rate": words.rate,
    "span": words.span,
    "number": words.number,
    "signed": words.signed,
    "size": words.size,
}
