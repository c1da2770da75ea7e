"""`sluice impressions` as people and scripts run it."""

import csv
import gzip
import math
from pathlib import Path

import pytest

from tests.app.cli.running import Ran, sluice

SUMS = [0.6, 0.4242424242424242, 0.3333333333333333, 0.27692307692307694, 0.23809523809523808,
        0.2095238095238095, 0.1875, 0.16993464052287582]  # fmt: skip


def impressions(work: Path, *words: str | Path, **environ: str) -> Ran:
    given = {"SLUICE_TABLES_ROOT": str(work / "root"), **environ}
    return sluice("impressions", *words, "--json", environ=given)


def file_of(work: Path, *lines: str, name: str = "day.csv.gz") -> Path:
    path = work / name
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def rows(work: Path, path: str) -> list[str]:
    return gzip.decompress((work / "root" / path).read_bytes()).decode().splitlines()


def test_the_worked_case_comes_out_digit_for_digit(tmp_path: Path) -> None:
    lines = [f"{50000 + 10 * i},campaign_00,v,{1 / (i + 2)}" for i in range(16)]
    assert (
        impressions(tmp_path, "partition", file_of(tmp_path, *lines), "--layout", "compat").code
        == 0
    )
    (tmp_path / "dim.csv").write_text("name,campaign_id\nFirst,campaign_00\n")
    (tmp_path / "new.csv").write_text('campaign_id,name\ncampaign_00,"Second, it is"\n')
    assert impressions(tmp_path, "join", tmp_path / "dim.csv").code == 0
    assert impressions(tmp_path, "update", tmp_path / "new.csv").code == 0
    for table, suffix in (
        ("FACT_PARTITIONED", "campaign"),
        ("FACT_JOINED", "joined_fact_and_dim"),
        ("FACT_UPDATED", "updated_fact_from_dim"),
    ):
        for command in ("status", "verify"):
            found = impressions(tmp_path, command, table).json
            assert [one["sum"] for one in found["files"]] == SUMS
            assert [one["rows"] for one in found["files"]] == [2] * 8
            assert (found["table"], found["rows"], found["version"]) == (table, 16, 1)
            assert found["sum"] == 2.4395525226407577
            assert found["mean"] == 0.15247203266504736
            assert found["stddev"] == 0.11614732270301785
            assert [one["path"] for one in found["files"]] == [
                f"tables/{table}/B_{n}/{table}.B_{n}.campaign_00.{suffix}.csv.gz" for n in range(8)
            ]
    assert rows(tmp_path, found["files"][1]["path"]) == [
        '50010,campaign_00,v,0.3333333333333333,"Second, it is"',
        '50090,campaign_00,v,0.09090909090909091,"Second, it is"',
    ]
    refused = impressions(tmp_path, "partition", file_of(tmp_path, lines[0], name="b.csv.gz"))
    assert refused.code == 1
    assert "no second one" in refused.err


def test_bad_rows_go_to_a_rejects_file_and_the_rest_is_loaded(tmp_path: Path) -> None:
    good = "06/01/2025,1,c/é,v,+1e-3"
    bad = {
        "wrong_columns": "06/01/2025,1,c,0.5",
        "empty_id": "06/01/2025,,c,v,0.5",
        "empty_campaign": "06/01/2025,1,,v,0.5",
        "bad_date": "02/30/2025,1,c,v,0.5",
        "not_a_number": "06/01/2025,1,c,v,NaN",
        "open_quote": '06/01/2025,1,c,"v,0.5',
    }
    header = "ad_date,impression_id,campaign_id,video_id,viewing_percentage"
    file = file_of(tmp_path, header, good, *bad.values(), '06/01/2025,2,c,"a ""b"", c",1.50')
    with gzip.open(file, "ab") as more:  # a second member
        more.write(b"06/01/2025,\xff,c,v,0.5\n06/02/2025,3,c,v,2")
    loaded = impressions(tmp_path, "partition", file)
    assert (loaded.code, loaded.json["rows"], loaded.json["rejected"]) == (0, 3, 7)
    with (tmp_path / "root" / loaded.json["rejects"]).open(newline="") as text:
        listed = list(csv.reader(text))
    assert listed[0] == ["line", "reason", "row"]
    assert listed[1:7] == [
        [str(line), reason, row] for line, (reason, row) in enumerate(bad.items(), 3)
    ]
    assert listed[7] == ["10", "not_utf8", "06/01/2025,\\xff,c,v,0.5"]
    found = impressions(tmp_path, "verify", "FACT_PARTITIONED").json
    assert math.isclose(found["sum"], 3.501)
    assert found["rejected"] == 7
    texts = {one["path"]: rows(tmp_path, one["path"]) for one in found["files"]}
    assert ["1,c/é,v,+1e-3"] in texts.values()
    assert ['2,c,"a ""b"", c",1.50'] in texts.values()
    assert all("AdDate=2025-06-0" in path for path in texts)
    assert any(".c%2f%c3%a9.csv.gz" in path for path in texts)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"garbage",
        lambda data: data[:600] + b"\0\xff\0" + data[603:],
        lambda data: b"no gzip",
        lambda data: b"",
    ],
)
def test_a_damaged_file_is_refused_whole(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]  # a function of bytes
    file = file_of(tmp_path, *(f"06/01/2025,{i},c,v,{i / 7}" for i in range(5000)))
    file.write_bytes(damage(file.read_bytes()))
    found = impressions(tmp_path, "partition", file)
    assert found.code == 1
    assert "day.csv.gz" in found.err
    assert "at byte" in found.err
    assert not list(tmp_path.glob("root/tables/**/*.gz"))
    load = impressions(tmp_path, "status").json["loads"][0]
    assert (load["state"], load["file"]) == ("failed", str(file))


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    file = file_of(tmp_path, *["06/01/2025,1,c,v,0.5"] * 50_000)
    found = impressions(tmp_path, "partition", file, SLUICE_MAX_UNZIPPED_BYTES="100000")
    assert found.code == 1
    assert "SLUICE_MAX_UNZIPPED_BYTES" in found.err


def test_a_file_without_dates_needs_one(tmp_path: Path) -> None:
    file = file_of(tmp_path, "1,c,v,0.5")
    assert impressions(tmp_path, "partition", file).code == 2
    assert impressions(tmp_path, "partition", file, "--date", "2025-06-31").code == 2
    assert impressions(tmp_path, "partition", file, "--date", "2025-06-01").json["dates"] == [
        "2025-06-01"
    ]


def test_update_writes_only_what_changed_and_says_so_before(tmp_path: Path) -> None:
    file = file_of(tmp_path, *(f"06/01/2025,{i},c{i % 50},v,{i / 7}" for i in range(2000)))
    impressions(tmp_path, "partition", file)
    (tmp_path / "dim.csv").write_text("campaign_id,n\n" + "".join(f"c{i},x\n" for i in range(49)))
    (tmp_path / "new.csv").write_text("campaign_id,n\nc7,y\nc8,x\n")
    joined = impressions(tmp_path, "join", tmp_path / "dim.csv").json
    assert (joined["rows"], joined["unmatched"]) == (2000, 40)
    planned = impressions(tmp_path, "update", tmp_path / "new.csv", "--dry-run").json
    assert (set(planned), planned["rows"]) == ({"files", "rows", "bytes"}, 40)
    assert impressions(tmp_path, "update", tmp_path / "new.csv").json["written"] == planned
    paths = [one["path"] for one in impressions(tmp_path, "status", "FACT_UPDATED").json["files"]]
    assert sum("FACT_UPDATED/" in path for path in paths) == planned["files"] < len(paths)
    (tmp_path / "late.csv").write_text("campaign_id,n\nc7,z\nc49,z\n")
    impressions(tmp_path, "update", tmp_path / "late.csv")
    found = impressions(tmp_path, "status", "FACT_UPDATED").json
    replaced = [one["path"] for one in found["files"] if one["campaign"] == "c7"]
    assert all(path.endswith(".v2.csv.gz") for path in replaced)
    assert (found["rows"], found["unmatched"]) == (2000, 0)


def test_undo_takes_a_load_out_of_all_tables(tmp_path: Path) -> None:
    first = impressions(tmp_path, "partition", file_of(tmp_path, "06/01/2025,1,c,v,0.5")).json
    wrong = file_of(tmp_path, "06/01/2025,1,c,v,0.25", "06/02/2025,1,d,v,0.25", name="b.csv.gz")
    load = impressions(tmp_path, "partition", wrong).json["load"]
    (tmp_path / "dim.csv").write_text("campaign_id,n\nc,x\n")
    impressions(tmp_path, "join", tmp_path / "dim.csv")
    impressions(tmp_path, "update")
    assert impressions(tmp_path, "undo", load).code == 0
    assert impressions(tmp_path, "undo", load).json["changed"] is False
    assert impressions(tmp_path, "undo", "nothing").code == 2
    for table in ("FACT_PARTITIONED", "FACT_JOINED", "FACT_UPDATED"):
        found = impressions(tmp_path, "verify", table).json
        assert (found["rows"], found["sum"]) == (1, 0.5)
    states = {one["load"]: one["state"] for one in found["loads"]}
    assert states == {first["load"]: "loaded", load: "undone"}


def test_verify_names_the_damaged_file(tmp_path: Path) -> None:
    impressions(tmp_path, "partition", file_of(tmp_path, "06/01/2025,1,c,v,0.5"))
    path = impressions(tmp_path, "status").json["files"][0]["path"]
    (tmp_path / "root" / path).write_bytes(gzip.compress(b"1,c,v,0.6\n"))
    found = impressions(tmp_path, "verify")
    assert found.code == 1
    assert path in found.err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("id,n\nc,x\n", "campaign_id"),
        ("campaign_id,n\nc,x,y\n", "dim.csv:2"),
        ("campaign_id,n\nc,x\nc,y\n", "dim.csv:3"),
        ("", "empty"),
    ],
)
def test_a_bad_dimension_is_refused_whole(tmp_path: Path, text: str, word: str) -> None:
    impressions(tmp_path, "partition", file_of(tmp_path, "06/01/2025,1,c,v,0.5"))
    (tmp_path / "dim.csv").write_text(text)
    found = impressions(tmp_path, "join", tmp_path / "dim.csv")
    assert (found.code, word in found.err) == (1, True)
    assert impressions(tmp_path, "join").code == 2  # there is none still
    assert impressions(tmp_path, "join", tmp_path / "none.csv").code == 2
