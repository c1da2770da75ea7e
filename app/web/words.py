"""Figures and times in words, the same on every page: pure functions of values and now."""

from decimal import Decimal

from domain.aggregation.numbers import plain

# (units, seconds each, name), largest first; a span is shown in its largest two units
SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
NEAR_MS = 7 * 86_400_000  # further away a date says more than "in 12 d"


def count(n: int) -> str:
    """1204551 -> "1,204,551"."""
    return f"{n:,}"


def some(n: int, noun: str, plural: str = "") -> str:
    """A count with its noun: "1 session", "2 sessions"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def rate(per_s: float) -> str:
    """Records per second: whole ones from 10 on, a tenth below."""
    if per_s == 0:
        return "0"
    return f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:,.1f}"


def number(value: object) -> str:
    """A value of a session for people: numbers with thousands separators and every digit."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return str(value)
    text = plain(value)
    whole, point, fraction = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    groups = [digits[max(i - 3, 0) : i] for i in range(len(digits), 0, -3)]
    return sign + ",".join(reversed(groups)) + point + fraction


def signed(value: object) -> str:
    """A difference: as `number`, with its sign."""
    text = number(value)
    return text if text in ("0", "") or text.startswith("-") else f"+{text}"


def span(seconds: float) -> str:
    """A span in its two largest units: "1 h 5 min", "12 s"; below a second "under 1 s"."""
    left = int(seconds)
    if left < 1:
        return "under 1 s"
    parts: list[str] = []
    for unit_s, name in SPANS:
        n, left = divmod(left, unit_s)
        if n:
            parts.append(f"{n} {name}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def relative(at_ms: int, now_ms: int) -> str:
    """ "in 12 s", "3 min ago", "now"; one unit."""
    away_s = abs(at_ms - now_ms) // 1000
    if away_s < 1:
        return "now"
    unit_s, name = next((u, n) for u, n in SPANS if away_s >= u)
    text = f"{away_s // unit_s} {name}"
    return f"in {text}" if at_ms > now_ms else f"{text} ago"


def size(n: int) -> str:
    """Bytes: "812 bytes", "1.4 MiB"."""
    if n < 1024:
        return f"{n} bytes"
    value = float(n)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            break
    return f"{value:,.1f} {unit}"
