"""Since when: what people write, and what it means."""

import pytest

from app.since import Since, parse_since

NOW_MS = 1_762_144_200_000  # 2025-11-03T04:30:00Z
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("beginning", Since("beginning")),
        ("24h", Since("instant", NOW_MS - 24 * HOUR_MS)),
        ("7d", Since("instant", NOW_MS - 7 * 24 * HOUR_MS)),
        ("1h30m", Since("instant", NOW_MS - HOUR_MS * 3 // 2)),
        ("90s", Since("instant", NOW_MS - 90_000)),
        ("2025-11-03T04:30:00Z", Since("instant", NOW_MS)),
        ("2025-11-03T05:30:00+01:00", Since("instant", NOW_MS)),
        ("0", Since("offset", 0)),
        ("4711", Since("offset", 4711)),
    ],
)
def test_an_instant_a_time_back_an_offset_or_the_beginning(text: str, since: Since) -> None:
    assert parse_since(text, NOW_MS) == since


@pytest.mark.parametrize("text", ["", "yesterday", "24", "-1", "24 hours", "h", "2025-11-03", "1w"])
def test_nothing_else_is_taken(text: str) -> None:
    assert (parse_since(text, NOW_MS) is None) == (text != "24")
