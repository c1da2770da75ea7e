"""Any order of loads, replacements, joins and updates, killed anywhere: the tables hold what they
must, the figures are exact, nothing lies about."""

import csv
import io
import re
from collections import Counter
from copy import deepcopy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.impressions.dimension import newest, take_dimension
from agents.impressions.joining import join, planned_update, update
from agents.impressions.load import LoadRefused, undo_load
from agents.impressions.store import Store
from domain.clock import FixedClock
from domain.impressions.layout import JOINED, PARTITIONED, UPDATED
from tests.agents.impressions.kit import (
    NOW_MS,
    Killed,
    MemoryFiles,
    check_clean,
    check_table,
    content_of,
    load,
    packed,
    rows_of,
    source_of,
)

CLOCK = FixedClock(NOW_MS)
Row = tuple[str, str, str, str, str]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["06/01/2025", "06/02/2025"]),
        st.integers(0, 40).map(str),
        st.sampled_from(["a", "b", "c/ä", "d" * 200]),
        st.sampled_from(["v", ""]),
        st.floats(-1e6, 1e6).map(repr),
    ),
    min_size=1, max_size=12,
)  # fmt: skip
DIMENSIONS = st.dictionaries(
    st.sampled_from(["a", "b", "c/ä"]), st.sampled_from(["", "x", 'q"r', "y,z"]), max_size=3
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("load"), st.sampled_from(["one", "two", "three"]), ROWS),
        st.tuples(st.just("undo"), st.sampled_from(["one", "two", "three"]), st.none()),
        st.tuples(st.just("join"), st.sampled_from(["name", "kind"]), DIMENSIONS),
        st.tuples(st.just("update"), st.sampled_from(["name", "kind"]), DIMENSIONS),
    ),
    max_size=8,
)


class Model:
    """What the tables must hold."""

    def __init__(self) -> None:
        self.loads: dict[str, list[Row]] = {}
        self.columns: list[str] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.joined: Counter[tuple[str, ...]] | None = None
        self.updated: Counter[tuple[str, ...]] | None = None

    def given(self, column: str, values: dict[str, str]) -> None:
        if column not in self.columns:
            self.columns.append(column)
        for campaign, value in values.items():
            self.metadata.setdefault(campaign, {})[column] = value

    def partitioned(self) -> Counter[tuple[str, ...]]:
        return Counter(
            (f"2025-{date[:2]}-{date[3:5]}", *rest)
            for rows in self.loads.values()
            for date, *rest in rows
        )

    def with_metadata(self, rows: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
        found = Counter[tuple[str, ...]]()
        for row, count in rows.items():
            known = self.metadata.get(row[2], {})
            found[(*row[:5], *(known.get(column, "") for column in self.columns))] += count
        return found


def dimension_file(column: str, values: dict[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["campaign_id", column])
    writer.writerows(values.items())
    return text.getvalue().encode()


def run(files: MemoryFiles, step: str, name: str, what: object, model: Model) -> None:
    """Does one step, and says to the model what must come of it."""
    if step == "load":
        assert isinstance(what, list)
        content = packed(*(",".join(row) for row in what))
        loaded = load(files, content, f"{name}.gz", replace=True)
        if loaded.load.file == f"bucket/{name}.gz":  # else it is there already
            model.loads[name] = what
    elif step == "undo":
        manifest, _ = Store(files).manifest(PARTITIONED)
        for one in [o for o in manifest.loads if o.file == f"bucket/{name}.gz"]:
            undo_load(files, CLOCK, one.load)
        model.loads.pop(name, None)
    else:
        assert isinstance(what, dict)
        if not Store(files).manifest(PARTITIONED)[0].version:
            return
        history = take_dimension(files, CLOCK, source_of(dimension_file(name, what), "dim.csv"))
        model.given(name, what)
        if step == "join":
            join(files, CLOCK, history)
            model.joined = model.partitioned()
        elif model.joined is not None:
            planned = planned_update(Store(files), history)
            assert update(files, CLOCK, history).written == planned
            model.updated = model.with_metadata(model.joined)
        if step == "join":
            model.joined = model.with_metadata(model.partitioned())


def check(files: MemoryFiles, model: Model) -> None:
    if Store(files).manifest(PARTITIONED)[0].version:
        assert content_of(files, PARTITIONED) == model.partitioned()
        check_table(files, PARTITIONED)
    for table, rows in ((JOINED, model.joined), (UPDATED, model.updated)):
        if rows is not None:
            assert content_of(files, table) == rows
            check_table(files, table)


SLOW = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))


@given(STEPS)
@SLOW
def test_tables_hold_what_was_loaded_and_joined(steps: list[tuple[str, str, object]]) -> None:
    files, model = MemoryFiles(), Model()
    for step in steps:
        run(files, *step, model)
        check(files, model)
        check_clean(files)


@given(STEPS, st.data())
@SLOW
def test_killed_anywhere_a_step_is_done_by_the_next_run(
    steps: list[tuple[str, str, object]], data: st.DataObject
) -> None:
    files, model = MemoryFiles(), Model()
    for step in steps:
        before = {table: content_of(files, table) for table in (PARTITIONED, JOINED, UPDATED)}
        files.kill_at = data.draw(st.integers(-1, 60), "kill at")
        tried = deepcopy(model)
        try:
            run(files, *step, tried)
        except Killed:
            files.kill_at = -1
            for table, rows in before.items():  # the old version, or the new one whole
                now = content_of(files, table)
                if now != rows:
                    check_table(files, table)
            abandon(files)
            run(files, *step, model)
        else:
            files.kill_at = -1
            model = tried
        check(files, model)
    if steps:
        # one more step of each kind, so that every table's strays had their turn
        run(files, "load", "one", [("06/01/2025", "1", "a", "v", "0.5")], model)
        run(files, "join", "name", {"a": "1"}, model)
        run(files, "update", "name", {"a": "2"}, model)
        check(files, model)
        check_clean(files)


def abandon(files: MemoryFiles) -> None:
    """Lets the leases of the locks that were left behind run out."""
    for name, (content, tag) in list(files.held.items()):
        if name.endswith("/lock.json"):
            files.held[name] = re.sub(rb'"until_ms":[0-9]+', b'"until_ms":0', content), tag


@given(st.permutations(["one", "two", "three"]), st.lists(ROWS, min_size=3, max_size=3))
@SLOW
def test_the_order_of_loads_does_not_show(order: list[str], rows: list[list[Row]]) -> None:
    files, other = MemoryFiles(), MemoryFiles()
    contents = {
        name: packed(*(",".join(row) for row in part), f"06/01/2025,{name},a,v,0.1")
        for name, part in zip(("one", "two", "three"), rows, strict=True)
    }
    for name in contents:
        load(files, contents[name], f"{name}.gz")
    for name in order:
        load(other, contents[name], f"{name}.gz")
    load(other, packed("06/01/2025,9,a,v,0.9"), "wrong.gz")
    wrong = Store(other).manifest(PARTITIONED)[0].loads[-1]
    undo_load(other, CLOCK, wrong.load)
    one, two = check_table(files, PARTITIONED), check_table(other, PARTITIONED)
    for mine, yours in zip(one.files, two.files, strict=True):
        assert (mine.key, mine.figures) == (yours.key, yours.figures)
        assert rows_of(files, mine) == rows_of(other, yours)  # in the same order
    assert newest(Store(files)).version == 0


def test_the_same_address_with_other_content_is_refused() -> None:
    files = MemoryFiles()
    load(files, packed("06/01/2025,1,a,v,0.5"))
    assert load(files, packed("06/01/2025,1,a,v,0.5")).changed is False
    try:
        load(files, packed("06/01/2025,1,a,v,0.25"))
    except LoadRefused as error:
        assert "--replace" in str(error)
    else:
        raise AssertionError("it was taken")
    assert load(files, packed("06/01/2025,1,a,v,0.25"), replace=True).changed
    assert content_of(files, PARTITIONED) == Counter({("2025-06-01", "1", "a", "v", "0.25"): 1})
    check_clean(files)
