"""Tables and loads of impressions over HTTP."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.impressions.load import Options, Source, load_file
from app.web.api.impressions import ImpressionsTableOut
from connectors.files.local import LocalFiles
from connectors.files.opening import open_files
from connectors.files.s3_access import S3Access
from domain.clock import FixedClock
from domain.errors import SluiceError
from tests.app.web.fake import FakeBackend
from tests.app.web.site import get
from tests.contracts.files import tree


@pytest.fixture(params=["folder", "s3_url"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> FakeBackend:
    """One whose tables have two loads and one that failed."""
    found = FakeBackend()
    found.impressions_files = tree(request, tmp_path).open()
    clock = FixedClock(1_700_000_000_000)
    inputs = LocalFiles(tmp_path / "in")
    numbers = [1 / (n + 2) for n in range(16)]
    rows = [f"11/02/2025,{50_000 + 10 * n},campaign_00,v,{x}\n" for n, x in enumerate(numbers)]
    for name, content in {
        "a.csv.gz": gzip.compress("".join(rows).encode()),
        "b.csv.gz": gzip.compress(b"11/03/2025,1,c,v,0.5\n11/03/2025,,c,v,0.5\n"),
        "damaged.csv.gz": gzip.compress(b"11/04/2025,1,c,v,0.5\n" * 99)[:-9],
    }.items():
        writing = inputs.write(name)
        writing.write(content)
        writing.place()
        source = Source(inputs, name, f"in/{name}")
        try:
            load_file(found.impressions_files, clock, source, Options(None, 8, "", False, 1 << 20))
        except SluiceError:
            assert name == "damaged.csv.gz"
        clock.advance(1000)
    return found


def asked(path: str, backend: FakeBackend) -> Any:
    status, text = get(path, backend)
    assert status == 200
    return json.loads(text)


def test_a_table_tells_its_figures(backend: FakeBackend) -> None:
    found = asked("/api/impressions/tables/FACT_PARTITIONED", backend)
    msgspec.convert(found, ImpressionsTableOut)
    assert (found["table"], found["version"], found["rows"]) == ("FACT_PARTITIONED", 2, 17)
    assert found["rejected"] == 1
    assert sum(one["rows"] for one in found["files"]) == 17
    assert found["sum"] == pytest.approx(2.4395525226407577 + 0.5, rel=1e-12)
    assert {step["state"] for step in found["steps"]} == {"done", "failed"}


def test_loads_are_paged_newest_first(backend: FakeBackend) -> None:
    first = asked("/api/impressions/loads?limit=2", backend)
    assert [one["file"] for one in first["items"]] == ["in/damaged.csv.gz", "in/b.csv.gz"]
    assert [one["state"] for one in first["items"]] == ["failed", "loaded"]
    assert first["items"][0]["problem"]
    rest = asked(f"/api/impressions/loads?limit=2&cursor={first['next']}", backend)
    assert [(one["file"], one["rows"]) for one in rest["items"]] == [("in/a.csv.gz", 16)]
    assert rest["next"] is None


def test_a_table_that_is_not_there_is_not_found(backend: FakeBackend) -> None:
    for table in ("FACT_JOINED", "NONE"):
        status, text = get(f"/api/impressions/tables/{table}", backend)
        assert status == 404
        assert "FACT_PARTITIONED" in json.loads(text)["detail"]
    assert get("/api/impressions/loads?cursor=x", backend)[0] == 400


def test_s3_that_is_away_is_told(free_port: int) -> None:
    found = FakeBackend()
    nobody = S3Access(f"http://127.0.0.1:{free_port}", "us-east-1", "key", "secret")
    found.impressions_files = open_files("s3://bucket/tables", nobody)
    status, text = get("/api/impressions/loads", found)
    assert status == 503
    assert "3://bucket/tables/" in json.loads(text)["detail"]


def test_figures_are_told_by_day_and_by_campaign(backend: FakeBackend) -> None:
    first = asked("/api/impressions/figures?limit=1", backend)
    assert [(one["day"], one["rows"], one["mean"]) for one in first["items"]] == [
        ("2025-11-03", 1, 0.5)
    ]
    (line,) = asked(f"/api/impressions/figures?cursor={first['next']}", backend)["items"]
    assert (line["day"], line["campaign"], line["rows"]) == ("2025-11-02", None, 16)
    assert line["mean"] == pytest.approx(0.15247203266504736, rel=1e-6)
    assert line["stddev"] == pytest.approx(0.11614732270301785, rel=1e-12)
    (one,) = asked("/api/impressions/figures?day=2025-11-02", backend)["items"]
    assert (one["campaign"], one["rows"], one["mean"]) == ("campaign_00", 16, line["mean"])
    assert get("/api/impressions/figures?table=FACT_UPDATED", backend)[0] == 404


def test_how_it_stands_is_told_with_the_queue(backend: FakeBackend) -> None:
    found = asked("/api/impressions", backend)
    (table,) = found["tables"]
    assert (table["table"], table["rows"], table["days"]) == ("FACT_PARTITIONED", 17, 2)
    whole = asked("/api/impressions/tables/FACT_PARTITIONED", backend)
    assert (table["mean"], table["stddev"]) == (whole["mean"], whole["stddev"])
    assert [step["state"] for step in found["steps"]] == ["failed", "done", "done"]
    assert [job["state"] for job in found["jobs"]] == ["running", "waiting", "failed"]


def test_a_change_is_planned_or_refused_with_its_reason(tmp_path: Path) -> None:
    backend, file = FakeBackend("little"), tmp_path / "dim.csv"
    file.write_text("campaign_id,name\ncampaign_01,x\n")
    found = asked(f"/api/impressions/plan?file={file}", backend)
    assert set(found) == {"files", "rows", "bytes"}
    assert found["files"] == 24
    file.write_text("name\nx\n")
    status, text = get(f"/api/impressions/plan?file={file}", backend)
    assert status == 422
    assert "campaign_id" in json.loads(text)["detail"]
    assert get("/api/impressions/plan?file=/etc/passwd", backend)[0] == 400
