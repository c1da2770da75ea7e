"""Where the archive is."""

from pathlib import Path

import pytest

from app.source_parts import open_archive
from config.settings import Settings
from connectors.files.base import Files
from domain.errors import UsageError


def test_the_archive_is_in_the_data_directory_or_where_it_is_told(tmp_path: Path) -> None:
    assert open_archive(Settings(data_dir=tmp_path)).where == str(tmp_path / "archive")
    told = Settings(data_dir=tmp_path, archive=str(tmp_path / "there"))
    assert open_archive(told).where == str(tmp_path / "there")


def test_a_place_that_files_cannot_be_in_is_refused_not_made_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder(address: str) -> Files:
        from connectors.files.local import LocalFiles

        return LocalFiles(Path(address))

    monkeypatch.setattr("app.source_parts.open_files", folder)
    with pytest.raises(UsageError, match="can't be kept there"):
        open_archive(Settings(data_dir=tmp_path, archive="s3://bucket/prefix"))
