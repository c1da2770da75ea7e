"""Where the archive is."""

from pathlib import Path

from app.source_parts import open_archive
from config.settings import Settings


def test_the_archive_is_in_the_data_directory_or_where_it_is_told(tmp_path: Path) -> None:
    assert open_archive(Settings(data_dir=tmp_path)).where == str(tmp_path / "archive")
    told = Settings(data_dir=tmp_path, archive=str(tmp_path / "there"))
    assert open_archive(told).where == str(tmp_path / "there")
    told = Settings(data_dir=tmp_path, archive="s3://bucket/prefix")
    assert open_archive(told).where == "s3://bucket/prefix"
