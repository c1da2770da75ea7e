"""The built-in executor's dice: how an execution ends and how long it takes.

Nothing but the seed and the execution's id decides, so an execution comes out the same in whatever
order, by whatever worker, and however often it is asked for.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

Share = tuple[str, str | None, float]
"""(outcome, reason or None, weight): ("FAILED", "BUSY", 0.3)"""


class Simulation(NamedTuple):
    """`reason` is None for outcomes that have none; `duration_ms` is from start to end."""

    outcome: str
    reason: str | None
    duration_ms: int


def simulate(
    seed: int, outcomes: Sequence[Share], seconds: tuple[float, float], execution_id: str
) -> Simulation:
    """What becomes of an execution. Weights are shares of their sum; durations are spread evenly
    over `seconds` (shortest, longest). The order of the outcomes doesn't matter."""
    digest = blake2b(execution_id.encode(), digest_size=16, salt=_salt(seed)).digest()
    which = int.from_bytes(digest[:8]) / 2**64
    how_long = int.from_bytes(digest[8:]) / 2**64
    shortest, longest = seconds
    duration_ms = round((shortest + (longest - shortest) * how_long) * 1000)
    # by name: a document that was written anew may list them in another order
    ordered = sorted(
        (share for share in outcomes if share[2] > 0), key=lambda s: (s[0], s[1] or "")
    )
    left = which * sum(weight for *_, weight in ordered)
    for outcome, reason, weight in ordered:
        left -= weight
        if left < 0:
            return Simulation(outcome, reason, duration_ms)
    outcome, reason, _ = ordered[-1]  # what rounding leaves behind the last
    return Simulation(outcome, reason, duration_ms)


def _salt(seed: int) -> bytes:
    return blake2b(str(seed).encode(), digest_size=16).digest()
