"""This process: what it runs, time used and memory held, as the system tells."""

import os
import time
from pathlib import Path

_STATM = Path("/proc/self/statm")


def cpu_s() -> float:
    """Processor seconds used so far."""
    return time.process_time()


def memory_bytes() -> int:
    """Memory held (resident); 0 where the system doesn't tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
