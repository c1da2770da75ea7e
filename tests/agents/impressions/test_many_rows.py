"""Figures of many rows equal an oracle in whole numbers, file by file, and nothing is lost: 30,000
rows in a plain run, ten million in a long one.

A percentage here is a multiple of 2^-53, so all sums are exact as integers.
"""

import csv
import gzip
import io
import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest
from isal import igzip

from agents.impressions.report import status, verify
from agents.impressions.store import Store
from connectors.files.base import Files
from domain.impressions.layout import JOINED, PARTITIONED
from tests.agents.impressions.test_kill import Place
from tests.contracts.files import tree

UNIT = 2**53
CAMPAIGNS = 1_000
CHUNK = 100_000


@dataclass
class Exact:
    """What some percentages come to, in units."""

    rows: int = 0
    sum: int = 0
    squares: int = 0

    def add(self, units: int) -> None:
        self.rows += 1
        self.sum += units
        self.squares += units * units

    def merge(self, other: "Exact") -> None:
        self.rows += other.rows
        self.sum += other.sum
        self.squares += other.squares

    def total(self) -> float:
        return float(Fraction(self.sum, UNIT))

    def m2(self) -> float:
        spread = self.squares - Fraction(self.sum * self.sum, self.rows)
        return float(spread / UNIT**2)


@dataclass
class Made:
    """A day's file and the dimension; `campaigns` is what was written of each."""

    day: Path
    dimension: Path
    campaigns: dict[str, Exact] = field(default_factory=lambda: defaultdict(Exact))


def make(folder: Path, rows: int) -> Made:
    made = Made(folder / "day.csv.gz", folder / "dim.csv")
    names = [f"campaign_{i:04}" for i in range(CAMPAIGNS)]
    lines = "".join(f"{name},Name {at}\n" for at, name in enumerate(names))
    made.dimension.write_text(f"campaign_id,name\n{lines}")
    chance = random.Random(5)
    with made.day.open("wb") as out:
        for start in range(0, rows, CHUNK):
            text = []
            for i in range(start, min(start + CHUNK, rows)):
                name, units = names[int(chance.random() ** 2 * CAMPAIGNS)], chance.getrandbits(53)
                made.campaigns[name].add(units)
                text.append(f"06/01/2025,{i},{name},video_{i % 5000},{units / UNIT!r}\n")
            out.write(igzip.compress("".join(text).encode(), 1))
    return made


def check(files: Files, table: str, made: Made) -> None:
    """Each file's figures by its rows, the campaigns' by what was made, the table's by all."""
    store = Store(files)
    told, counted = status(store, table), verify(store, table)
    assert not counted.damaged
    assert told.as_json() == counted.as_json()
    found: dict[str, Exact] = defaultdict(Exact)
    for one in told.files:
        content = files.read(one.path)
        assert content is not None
        lines = io.StringIO(gzip.decompress(content[0]).decode(), newline="")
        exact, values = Exact(), []
        for row in csv.reader(lines):
            assert row[1] == one.campaign
            values.append(float(row[3]))
            exact.add(int(values[-1] * UNIT))
        assert (one.rows, one.sum) == (exact.rows, exact.total())
        assert (one.min, one.max) == (min(values), max(values))
        assert math.isclose(one.mean, exact.total() / exact.rows, rel_tol=1e-15)
        assert math.isclose(one.m2, exact.m2(), rel_tol=1e-12, abs_tol=1e-12)
        found[one.campaign].merge(exact)
    assert found == made.campaigns
    every = Exact()
    for each in found.values():
        every.merge(each)
    shown = told.as_json()
    assert shown["rows"] == every.rows
    assert math.isclose(float(str(shown["sum"])), every.total(), rel_tol=1e-12)  # of files' sums
    spread = math.sqrt(every.m2() / every.rows)
    assert math.isclose(float(str(shown["stddev"])), spread, rel_tol=1e-12)


def figures(place: Place, rows: int) -> None:
    made = make(place.work, rows)
    files = place.tables.open()
    for step, table, file in (
        ("partition", PARTITIONED, made.day),
        ("join", JOINED, made.dimension),
    ):
        place.done(step, str(file))
        check(files, table, made)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    request.param = "folder"
    return Place(tmp_path, tree(request, tmp_path))


def test_figures_of_many_rows_are_exact(place: Place) -> None:
    figures(place, 30_000)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_figures_of_ten_million_rows_are_exact(place: Place) -> None:
    figures(place, 10_000_000)
