"""An interrupt that was lost comes again."""

import signal

import pytest

from app.cli.interrupts import insistent
from tests.waiting import until


def test_an_interrupt_that_something_swallows_is_raised_again() -> None:
    caught: list[int] = []

    def swallowing() -> bool:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            caught.append(1)
        return False

    def look() -> bool:
        return swallowing() if not caught else False

    with pytest.raises(KeyboardInterrupt), insistent():
        until(look, 20.0)
    assert caught == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.setitimer(signal.ITIMER_REAL, 0)[0] == 0.0
