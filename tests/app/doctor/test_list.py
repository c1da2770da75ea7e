"""The list of faults in the documentation is the list of those that are prepared."""

import importlib
import re
from pathlib import Path

from tests.app.doctor.kit import FAULTS

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "doctor.md"


def test_each_fault_that_is_documented_is_prepared_and_the_reverse() -> None:
    for file in HERE.glob("test_*.py"):
        importlib.import_module(f"tests.app.doctor.{file.stem}")
    rows = re.findall(r"^\| (?!fault )([^|]+?) \| [^|]+ \| [^|]+ \|$", PAGE.read_text(), re.M)
    assert sorted(rows) == sorted(FAULTS)
    assert len(rows) >= 25
