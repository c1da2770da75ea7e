"""When an attempt that failed is made again."""

from email.utils import parsedate_to_datetime

from domain.sinks.document import Retry

LONGEST_ASKED_MS = 24 * 3_600_000  # a target that asks for more waits is asked once a day


def wait_ms(retry: Retry, attempt: int, chance: float, asked_ms: int | None = None) -> int:
    """How long to wait after attempt number `attempt` (from 1) failed.

    Doubling from `first_ms` to `most_ms`, of which `chance` (0 to 1) takes away up to half, so that
    those who failed together don't come back together. What the target asked for is waited at
    least.
    """
    doubled = retry.most_ms
    if attempt <= 64:
        doubled = min(retry.most_ms, retry.first_ms << (attempt - 1))
    wait = doubled - int(doubled * chance / 2)
    return wait if asked_ms is None else max(wait, min(asked_ms, LONGEST_ASKED_MS))


def asked_ms(retry_after: str | None, now_ms: int) -> int | None:
    """Milliseconds that a `Retry-After` asks for: seconds, or a date; None for anything else."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * 1000, LONGEST_ASKED_MS)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return min(max(0, int(at.timestamp() * 1000) - now_ms), LONGEST_ASKED_MS)
