"""How the C library gives memory back: buffers are held for seconds, and a worker lives for months.

glibc raises the size from which a block is a mapping of its own (`M_MMAP_THRESHOLD`, up to 32 MiB)
whenever such a block is freed, and takes an arena per thread. Batches and write buffers of a
megabyte or two then lie between small things that stay, and what they leave is not given back: a
tenth of a worker's memory after 3,000,000 records of a million accounts. A size that is set stays.
See mallopt(3).
"""

import ctypes

MAPPED_FROM = 256 << 10  # bytes
_ARENAS = 2
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h


def give_back_buffers() -> bool:
    """To be called before there are threads; False where the C library has no such switch."""
    switch = getattr(ctypes.CDLL(None), "mallopt", None)
    if switch is None:
        return False
    return bool(switch(_M_MMAP_THRESHOLD, MAPPED_FROM)) and bool(switch(_M_ARENA_MAX, _ARENAS))
