"""Uploads: what is kept, what is sent, and that a kill changes nothing of it."""

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.uploads import reading
from agents.uploads.checks import would_fit
from agents.uploads.folder import KEPT_MS
from agents.uploads.progress import RejectedRow
from agents.uploads.uploads import OtherUpload
from connectors.formats.csv_rows import NotCsv
from domain.campaigns.described import DescriptionRefused, described
from tests.agents.uploads.kit import FLOW, NOW_MS, Home, asked, body, number, table


def rejected(home: Home, request_id: str) -> list[RejectedRow]:
    async def look(uploads: Any) -> list[RejectedRow]:
        found: list[RejectedRow] = await uploads.rejections(request_id, 0, 1_000)
        return found

    found: list[RejectedRow] = home.run(look)
    return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_becomes_a_campaign_with_its_records(tmp_path: Path, pack: Any) -> None:
    home = Home(tmp_path)
    content = table(["98 0000 0001", "A,b"], ["abc", "B"], ["+919800000002", "Ć\n"])
    taken = home.upload(pack(content))
    shard = home.shard
    assert shard.begun["description"]["start_date"] == "2025-11-03"
    assert shard.begun["columns"] == ["number", "name"]
    assert shard.begun["now_ms"] == NOW_MS
    assert shard.records == {
        1: (number(1), {"name": "A,b"}, None),
        3: (number(2), {"name": "Ć\n"}, None),
    }
    assert shard.figures == {"accepted": 2, "rejected": 1, "duplicates_seen": 0, "progress": 1.0}
    assert shard.ended
    assert rejected(home, taken.request_id) == [
        RejectedRow(2, "number", "bad_number", "abc", b"abc,B\r\n")
    ]
    assert not (home.folder.home(taken.request_id) / "file").exists()


def test_times_without_an_offset_are_the_flows(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = [[number(1), "2025-11-03T11:00"], [number(2), "2025-11-03 05:30:00Z"], [number(3), ""],
            [number(4), "tomorrow"]]  # fmt: skip
    description = {"slots": None, "schedule_column": "call_at"}
    taken = home.upload(table(*rows, columns=["number", "call_at"]), description=description)
    times = [row[2] for row in home.shard.records.values()]
    assert times == [NOW_MS + 1_800_000, NOW_MS + 1_800_000, None]
    (bad,) = rejected(home, taken.request_id)
    assert (bad.row, bad.column, bad.code, bad.value) == (4, "call_at", "bad_schedule", "tomorrow")


def test_a_schedule_column_beside_slots_is_not_looked_at(tmp_path: Path) -> None:
    home = Home(tmp_path)
    taken = home.upload(table([number(1), "x"]), description={"schedule_column": "call_at"})
    assert [warning["code"] for warning in taken.warnings] == ["schedule_column_ignored"]
    assert len(home.shard.records) == 1


@pytest.mark.parametrize(
    ("policy", "accepted", "duplicates"), [("allow", 4, 2), ("first", 4, 2), ("reject", 2, 2)]
)
def test_duplicates_are_counted_after_normalising(
    tmp_path: Path, policy: str, accepted: int, duplicates: int
) -> None:
    home = Home(tmp_path)
    rows = [[number(1), ""], [number(2), ""], ["9800000001", ""], ["098 0000 0001", ""]]
    taken = home.upload(table(*rows), description={"duplicates": policy})
    figures = home.shard.figures
    assert (figures["accepted"], figures["duplicates_seen"]) == (accepted, duplicates)
    codes = [(one.row, one.code, one.value) for one in rejected(home, taken.request_id)]
    wanted = [(row, "duplicate", number(1)) for row in (3, 4)] if policy == "reject" else []
    assert codes == wanted


@pytest.mark.parametrize(
    ("description", "path"),
    [
        ({"flow": "nobody"}, "flow"),
        ({"flow": None}, "flow"),
        ({"colour": "red"}, "colour"),
        ({"number_column": "phone"}, "number_column"),
        ({"number_column": 1}, "number_column"),
        ({"slots": None, "schedule_column": "call_at"}, "schedule_column"),
        ({"slots": ["08:00-10:00"]}, "slots[0]"),
        ({"slots": ["10:00-12:00", "11:00-13:00"]}, "slots[1]"),
        ({"slots": ["12:00-10:00"]}, "slots[0]"),
        ({"slots": "10:00-12:00"}, "slots"),
        ({"days": 31}, "days"),
        ({"days": True}, "days"),
        ({"slots": None, "days": 2}, "days"),
        ({"start_date": "2025-11-02"}, "start_date"),
        ({"start_date": "soon"}, "start_date"),
        ({"start_date": "9001-01-01"}, "start_date"),
        ({"start_date": "9999-12-31", "days": 2}, "start_date"),
        ({"duplicates": "merge"}, "duplicates"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_a_description_that_can_not_be_keeps_nothing(
    tmp_path: Path, description: dict[str, Any], path: str
) -> None:
    home = Home(tmp_path)
    with pytest.raises(DescriptionRefused) as refused:
        home.upload(table([number(1), ""]), description=description)
    assert [wrong.path for wrong in refused.value.wrongs] == [path]
    assert list(tmp_path.iterdir()) == []
    assert home.stream.events == []


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"number\n\xff\n", NotCsv), (b"", DescriptionRefused), (b"n,n\n", DescriptionRefused)],
)
def test_a_file_that_can_not_be_keeps_nothing(tmp_path: Path, content: bytes, error: Any) -> None:
    home = Home(tmp_path)
    with pytest.raises(error):
        home.upload(content)
    assert list(tmp_path.iterdir()) == []


def test_a_sender_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def broken() -> Any:
        yield b"number\n"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        home.run(lambda uploads: uploads.spool(broken()))
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_wrong_behind_the_head_are_a_row_that_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    good = [[number(n), "x" * 30] for n in range(2_000)]
    content = table(*good) + b"+919800009999,\xff\n" + b"+919800009998,x\n"
    taken = home.upload(content)
    (bad,) = rejected(home, taken.request_id)
    assert (bad.row, bad.column, bad.code, bad.value) == (2_001, "name", "bad_encoding", "\\xff")
    assert bad.raw == b"+919800009999,\xff\n"
    assert home.shard.records[2_002][0] == "+919800009998"


# Once


def test_the_same_key_is_the_same_upload_also_after_a_start(tmp_path: Path) -> None:
    home = Home(tmp_path)
    content = table([number(1), ""])
    first = home.upload(content)
    again = home.upload(content)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.request_id == first.request_id
    with pytest.raises(OtherUpload):
        home.upload(content + b"\n")
    with pytest.raises(OtherUpload):
        home.upload(content, description={"days": 2})
    assert len(home.shard.records) == 1
    assert home.upload(content, key="other").request_id != first.request_id
    assert home.upload(content, key=None).request_id != first.request_id
    later = home.upload(table([number(2), ""]), now_ms=NOW_MS + KEPT_MS + 1)
    assert not later.repeated
    assert later.request_id != first.request_id


ROWS = st.lists(
    st.sampled_from([f"{number(1)},a", f"{number(2)},b", "9800000003,c", "x,d", "short", '"open']),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["allow", "reject"]), st.integers(0, 9), st.booleans(), st.booleans())
def test_a_kill_at_any_event_changes_nothing(
    lines: list[str], policy: str, at: int, after: bool, packed: bool
) -> None:
    content = b"number,name\n" + b"".join(line.encode() + b"\n" for line in lines)
    content = gzip.compress(content) if packed else content
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as calm_path,
        TemporaryDirectory() as killed_path,
    ):
        patch.setattr(reading, "CHUNK_ROWS", 3)
        calm, home = Home(Path(calm_path)), Home(Path(killed_path))
        description = {"duplicates": policy}
        request_id = calm.upload(content, description=description).request_id
        home.stream.break_at, home.stream.after = at, after
        assert home.upload(content, description=description).request_id == request_id
        home.stream.break_at = None
        home.go_on(request_id)
        home.go_on(request_id)  # nothing is left to do
        assert home.shard.ended
        assert home.shard.records == calm.shard.records
        assert home.shard.figures == calm.shard.figures
        assert rejected(home, request_id) == rejected(calm, request_id)
        assert not (home.folder.home(request_id) / "file").exists()


def test_what_a_kill_left_before_it_was_kept_is_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.folder.path.mkdir(exist_ok=True)
    spool = home.folder.spool()
    spool.write(b"number\n")
    home.go_on("nobody")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_cut_into_chunks_that_travel(tmp_path: Path) -> None:
    home = Home(tmp_path)
    content = table(*([number(n), "é" * (1_000 if n > 4_000 else 1)] for n in range(5_000)))
    home.upload(content)
    chunks = [event for event in home.stream.events if event["command"] == "rows"]
    assert [len(chunk["body"]["rows"]) for chunk in chunks[:2]] == [2_000, 2_000]
    assert max(len(str(chunk)) for chunk in chunks) < 1_000_000
    assert sorted(home.shard.records) == list(range(1, 5_001))
    progress = [chunk["body"]["progress"] for chunk in chunks]
    assert progress == sorted(progress)


def test_what_an_older_version_took_is_read_on_by_its_own_rules(tmp_path: Path) -> None:
    """Which rows are records is told as before: else chunks would have one id and two contents."""
    home = Home(tmp_path)
    rows = [[number(1), "9500-01-01T10:00"], [number(2), ""]]
    content = table(*rows, columns=["number", "call_at"])
    description = {"slots": None, "schedule_column": "call_at", "start_date": "2025-11-03"}
    taken = home.upload(content, description=description)
    assert sorted(home.shard.records) == [2]
    assert [one.code for one in rejected(home, taken.request_id)] == ["bad_schedule"]
    # as it would stand in the folder of an older version
    told = home.folder.home(taken.request_id) / "upload.json"
    meta = json.loads(told.read_bytes())
    meta["description"]["start_date"] = "9999-12-31"
    del meta["last_day"]
    told.write_bytes(json.dumps(meta).encode())
    (told.parent / "reading.sqlite").unlink()
    (told.parent / "file").write_bytes(content)
    again = Home(tmp_path)
    again.go_on(taken.request_id)
    assert again.failures == []
    assert sorted(again.shard.records) == [1, 2]
    assert again.shard.ended


# A dry run


@pytest.mark.parametrize(
    ("description", "would_create", "fits"),
    [
        ({"slots": ["09:00-10:00", "10:00-12:00", "16:00-18:00"]},
         {"09:00-10:00": 0, "10:00-12:00": 2, "16:00-18:00": 2},
         {"09:00-10:00": True, "10:00-12:00": True, "16:00-18:00": True}),
        ({"slots": None}, {"-": 2}, {"-": True}),
        ({"duplicates": "first"}, {"10:00-12:00": 1}, {"10:00-12:00": True}),
    ],
)  # fmt: skip
def test_a_dry_run_says_what_would_be_and_keeps_nothing(
    tmp_path: Path, description: Any, would_create: Any, fits: Any
) -> None:
    home = Home(tmp_path)
    content = table([number(1), ""], ["x", ""], [number(1), ""])

    async def steps(uploads: Any) -> Any:
        spool = await uploads.spool(body(content))
        try:
            return await uploads.preview(spool, asked(description=description), None)
        finally:
            spool.close()

    made, rejections = home.run(steps)
    assert (made.would_create, made.fits) == (would_create, fits)
    assert [(one.row, one.code) for one in rejections] == [(2, "bad_number")]
    assert list(tmp_path.iterdir()) == []
    assert home.stream.events == []


def test_whether_it_fits_goes_by_the_channels_and_what_is_left_of_the_slot() -> None:
    description, flow = described(
        {"flow": "reminder", "slots": ["10:00-12:00", "16:00-18:00"]}, lambda _: FLOW, NOW_MS
    )
    # 10 channels: 90 minutes are left of the first slot, the second has 120
    assert would_fit(description, flow, 5_400, 10.0, NOW_MS).fits == {
        "10:00-12:00": True, "16:00-18:00": True
    }  # fmt: skip
    assert would_fit(description, flow, 5_401, 10.0, NOW_MS).fits == {
        "10:00-12:00": False, "16:00-18:00": True
    }  # fmt: skip
    assert would_fit(description, flow, 1, None, NOW_MS).fits == {
        "10:00-12:00": None, "16:00-18:00": None
    }  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_progress_is_the_share_of_the_content_that_was_read(
    packed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reading, "CHUNK_ROWS", 2)
    content = b"number,name\n" + b"".join(f"{number(n)},a\n".encode() for n in range(8))
    home = Home(tmp_path)
    home.upload(gzip.compress(content) if packed else content)
    told = [e["body"]["progress"] for e in home.stream.events if e["command"] == "rows"]
    row = len(f"{number(0)},a\n")
    assert told[:4] == [(12 + row * n) / len(content) for n in (2, 4, 6, 8)]
