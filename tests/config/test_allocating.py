"""Memory of buffers goes back, whatever was freed before."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from config.allocating import give_back_buffers
libc = ctypes.CDLL(None)
class Info(ctypes.Structure):  # mallinfo2(3)
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
libc.mallinfo2.restype = Info
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if {set}:
    assert give_back_buffers()
libc.free(libc.malloc(24 << 20))
"""
# How many mappings of its own a block of 5 MiB makes after one of 24 MiB was freed.
MAPPED = """
before = libc.mallinfo2().hblks
libc.malloc(5 << 20)
print(libc.mallinfo2().hblks - before)
"""
# How much more memory is held when sixteen blocks of 1 MiB were freed.
KEPT = """
before = libc.mallinfo2().arena
blocks = [libc.malloc(1 << 20) for _ in range(16)]
for block in blocks:
    libc.free(block)
print(libc.mallinfo2().arena - before >> 20)
"""


def printed(given: bool, program: str) -> int:
    """What a process of its own prints."""
    whole = PROGRAM.replace("{set}", str(given)) + program
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.parametrize(("given", "mappings"), [(True, 1), (False, 0)])
def test_a_buffer_is_a_mapping_of_its_own_also_after_a_larger_one_was_freed(
    given: bool, mappings: int
) -> None:
    assert printed(given, MAPPED) == mappings


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_what_comes_and_goes_is_kept() -> None:
    assert printed(True, KEPT) >= 15
