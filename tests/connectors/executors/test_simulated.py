"""The simulated executor: the same for the same execution, and spread as the flow says."""

import random
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connectors.executors.simulated import Share, Simulation, simulate

OUTCOMES: list[Share] = [
    ("COMPLETED", None, 0.6),
    ("FAILED", "BUSY", 0.3),
    ("FAILED", "NO_ANSWER", 0.1),
]
IDS = [f"reminder-0011223344556677.20251103.1000_1200.1.{n}.1" for n in range(4000)]


def test_any_order_any_repetition_and_any_process_gives_the_same() -> None:
    first = {ident: simulate(1, OUTCOMES, (5, 60), ident) for ident in IDS}
    again = random.Random(2).choices(IDS, k=2000)
    assert all(simulate(1, OUTCOMES[::-1], (5, 60), ident) == first[ident] for ident in again)
    program = (
        "from connectors.executors.simulated import simulate;"
        f"print(tuple(simulate(1, {OUTCOMES!r}, (5, 60), {IDS[7]!r})))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == str(tuple(first[IDS[7]]))


def test_another_seed_is_another_world() -> None:
    one, two = ([simulate(seed, OUTCOMES, (5, 60), ident) for ident in IDS] for seed in (1, 2))
    assert sum(a == b for a, b in zip(one, two, strict=True)) < len(IDS) / 50


def test_outcomes_and_durations_are_spread_as_told() -> None:
    found = [simulate(1, OUTCOMES, (5, 60), ident) for ident in IDS]
    shares = Counter((each.outcome, each.reason) for each in found)
    for outcome, reason, weight in OUTCOMES:
        assert abs(shares[outcome, reason] / len(IDS) - weight) < 0.03
    seconds = sorted(each.duration_ms / 1000 for each in found)
    assert 5 <= seconds[0] < 6
    assert 59 < seconds[-1] <= 60
    assert abs(sum(seconds) / len(seconds) - 32.5) < 1
    completed = [s.duration_ms for s in found if s.outcome == "COMPLETED"]
    assert abs(sum(completed) / len(completed) - 32_500) < 1000  # one says nothing of the other


_weights = st.dictionaries(
    st.sampled_from(["COMPLETED", "PARTIAL_COMPLETE", "FAILED"]),
    st.floats(0, 10),
    min_size=1,
).filter(lambda found: sum(found.values()) > 0)


@given(weights=_weights, seed=st.integers(), ident=st.text(), low=st.floats(0, 100))
def test_what_weighs_nothing_never_happens(
    weights: dict[str, float], seed: int, ident: str, low: float
) -> None:
    outcomes: list[Share] = [(name, None, weight) for name, weight in weights.items()]
    ident = ident.encode("utf-8", "replace").decode()
    found = simulate(seed, outcomes, (low, low), ident)
    assert isinstance(found, Simulation)
    assert weights[found.outcome] > 0
    assert found.duration_ms == round(low * 1000)
