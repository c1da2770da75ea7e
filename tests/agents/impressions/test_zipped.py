"""What is packed depends on its content alone."""

import os
import subprocess
import sys

import pytest

PACK = """
import hashlib, random
from agents.impressions.gunzip import zipped
chance, digest = random.Random(5), hashlib.sha256()
for size in [*range(1, 13)] * 300 + [20_000] * 3:
    values = [repr(chance.uniform(-1e6, 1e6)) for _ in range(3)]
    rows = (f"{chance.randrange(41)},a,v,{chance.choice(values)}" for _ in range(size))
    digest.update(zipped("\\n".join(rows).encode()))
print(digest.hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone fills memory when told to")
def test_what_memory_held_before_does_not_show() -> None:
    made = {
        subprocess.run(
            [sys.executable, "-c", PACK],
            env={**os.environ, "MALLOC_PERTURB_": str(filling)},
            check=True, capture_output=True, text=True,
        ).stdout
        for filling in (0, 3, 85, 128, 255)
    }  # fmt: skip
    assert len(made) == 1 and all(len(one.strip()) == 64 for one in made)
