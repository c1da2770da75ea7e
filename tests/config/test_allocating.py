"""Memory of buffers goes back, whatever was freed before."""

import subprocess
import sys

import pytest

# How many mappings of its own a block of 300 KiB makes after one of 8 MiB was freed.
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
libc.free(libc.malloc(8 << 20))
before = libc.mallinfo2().hblks
libc.malloc(300 << 10)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.parametrize(("given", "mappings"), [(True, "1"), (False, "0")])
def test_a_buffer_is_a_mapping_of_its_own_also_after_a_larger_one_was_freed(
    given: bool, mappings: str
) -> None:
    program = PROGRAM.replace("{set}", str(given))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == mappings
