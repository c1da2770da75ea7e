"""The test kit: a worker that kills itself at a step of a commit.

`SLUICE_TEST_KILL=STEP:N` sends the process SIGKILL when it passes step STEP (0 to 4, see
`tables/shard.py`) for the N-th time. Nothing else in the product knows of it.
"""

import os
import signal
from collections.abc import Callable, Mapping

from domain.errors import UsageError

VARIABLE = "SLUICE_TEST_KILL"
STEPS = range(5)


def kill_switch(environ: Mapping[str, str]) -> Callable[[int], None]:
    """What to call at each step; does nothing when the variable is not set."""
    text = environ.get(VARIABLE, "")
    if not text:
        return lambda _step: None
    step, _, times = text.partition(":")
    if not (step.isdigit() and times.isdigit() and int(step) in STEPS and int(times) > 0):
        raise UsageError(f"{VARIABLE}={text} is not STEP:N", "STEP is 0 to 4, N at least 1")
    left = int(times)

    def passed(at: int) -> None:
        nonlocal left
        if at == int(step):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passed
