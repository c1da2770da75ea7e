"""Input files: their format, who they are, and that one which can't be read whole is refused."""

import gzip
import hashlib
import io
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from connectors.formats.files import Format, Source, identify
from connectors.formats.records import InputError, Position
from domain.errors import UsageError
from tests.connectors.formats.inputs import reader, rows_of

TEXT = b'{"a": 1}\n{"a": 2}\n'


def scratch(folder: Path) -> Path:
    made = folder / "scratch"
    made.mkdir(exist_ok=True)
    return made


def known(path: Path, wanted: Format | None = None) -> Source:

    return identify(str(path), wanted, io.BytesIO(), scratch(path.parent))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.jsonl", TEXT, "jsonl"), ("a.NDJSON", TEXT, "jsonl"), ("a.csv", b"a\n1\n", "csv"),
        ("a.csv.gz", gzip.compress(b"a\n1\n", mtime=0), "csv"),
        ("a.json.gz", gzip.compress(TEXT, mtime=0), "jsonl"),
        ("usage", TEXT, "jsonl"), ("usage.gz", gzip.compress(b" " + TEXT, mtime=0), "jsonl"),
    ],
)  # fmt: skip
def test_a_name_tells_the_format_or_else_the_beginning(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found = known(path)
    assert (found.format, found.zipped) == (expected, data[:2] == b"\x1f\x8b")
    assert (found.digest, found.size) == (hashlib.sha256(data).digest(), len(data))


def test_what_is_asked_for_goes_before_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"a,b\n1,2\n")
    assert known(path, "csv").format == "csv"


@pytest.mark.parametrize("name", ["a.txt", "a", "a.tsv.gz"])
def test_a_format_that_shows_nowhere_is_asked_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"a;b\n") if name.endswith("gz") else b"a;b\n")
    with pytest.raises(UsageError, match="does not tell its format"):
        known(path)


def test_a_file_that_is_not_there_or_a_folder_is_used_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        known(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is a folder"):
        known(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.parquet", TEXT, "this is no Parquet; expected parquet"),
        ("a.csv", b"PAR1....", "this is Parquet; expected csv"),
        ("a.jsonl.gz", TEXT, "this is no gzip data"),
        ("a.jsonl.gz", gzip.compress(TEXT * 50, mtime=0)[:-9], "gzip data is broken"),
        ("a.jsonl.gz", gzip.compress(TEXT, mtime=0)[:5], "gzip data is broken"),
        ("a.jsonl.gz", gzip.compress(TEXT, mtime=0) + b"rubbish", "gzip data is broken"),
        ("a.csv.gz", gzip.compress(TEXT, mtime=0)[:-8] + bytes(8), "gzip data is broken"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=expected) as caught:
        known(path)
    assert str(path) in str(caught.value)


def test_a_file_may_be_several_gzip_members(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(TEXT) + gzip.compress(TEXT))
    with known(path).open(18) as (content, reached):
        assert content.read() == TEXT
        assert reached() == path.stat().st_size


def test_standard_input_is_kept_until_it_is_known(tmp_path: Path) -> None:
    found = identify("-", None, io.BytesIO(TEXT), scratch(tmp_path))
    assert (found.format, found.digest) == ("jsonl", hashlib.sha256(TEXT).digest())
    made = reader("jsonl", {"a": "any"})
    (some,) = made.read(found, Position())
    assert rows_of(made, some) == [(1, {"a": 1}), (2, {"a": 2})]


def test_a_pipe_is_kept_until_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(TEXT))
    writer.start()
    found = known(path)
    writer.join()
    assert found.digest == hashlib.sha256(TEXT).digest()
    with found.open() as (content, _):
        assert content.read() == TEXT


def test_parquet_may_be_compressed_as_a_whole(tmp_path: Path) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), sink)
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(sink.getvalue()))
    found = known(path)
    assert found.digest == hashlib.sha256(path.read_bytes()).digest()
    made = reader("parquet", {"a": "any"})
    (some,) = made.read(found, Position())
    assert rows_of(made, some) == [(1, {"a": 1}), (2, {"a": 2})]


def test_a_file_that_changes_during_the_run_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(TEXT)
    found = known(path)
    with pytest.raises(InputError, match="was changed while it was read"), found.open() as _:
        path.write_bytes(TEXT + TEXT)
    with pytest.raises(InputError, match="was changed while it was read"), found.open():
        raise AssertionError("it must not be read")
