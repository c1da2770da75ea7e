"""How the C library gives memory back: buffers are held for seconds, and a worker lives for months.

Left alone, glibc raises the size from which a block is a mapping of its own (`M_MMAP_THRESHOLD`, up
to 32 MiB) whenever such a block is freed, and takes an arena per thread: buffers of many megabytes
then lie between small things that stay. A size that is set stays. Blocks of a megabyte or two come
and go with each request: as mappings, each of their pages would be asked of the kernel and filled
with zeros every time, a tenth of all work. They come out of memory that is kept instead, as much as
`KEPT` of each arena. See mallopt(3).
"""

import ctypes

MAPPED_FROM = 4 << 20  # bytes
KEPT = 32 << 20
_ARENAS = 2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def give_back_buffers() -> bool:
    """To be called before there are threads; False where the C library has no such switch."""
    switch = getattr(ctypes.CDLL(None), "mallopt", None)
    if switch is None:
        return False
    set_to = {_M_MMAP_THRESHOLD: MAPPED_FROM, _M_TRIM_THRESHOLD: KEPT, _M_ARENA_MAX: _ARENAS}
    done = [bool(switch(name, value)) for name, value in set_to.items()]
    return all(done)
