"""Ctrl-C ends a command wherever it comes.

Python raises KeyboardInterrupt in whatever runs at that moment; in a finalizer or a callback it
can only be printed, and the command would go on. So it is raised again until the command ends.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_S = 0.3


@contextmanager
def insistent() -> Iterator[None]:
    """Within it SIGINT is raised as KeyboardInterrupt again and again. Only what runs in the main
    thread, and has no handler of its own, is changed."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt

    alarm = signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGALRM) is interrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
