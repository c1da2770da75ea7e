"""Putting the browser packages in place, and doing without them."""

import json
from pathlib import Path

import pytest

from app.web import build


def test_the_lock_names_no_registry_and_is_exact() -> None:
    lock = json.loads((build.WEB / "package-lock.json").read_text())
    entries = [entry for path, entry in lock["packages"].items() if path]
    assert entries
    assert all("integrity" in entry and "resolved" not in entry for entry in entries)


def test_what_pages_use_is_no_development_package() -> None:
    assert set(build.locked()) == {name.split("/")[0] for name in build.FILES}


def test_files_are_copied_where_pages_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = tmp_path / "node_modules"
    for name in build.FILES:
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).write_text(name)
    for name, version in build.locked().items():
        (modules / name / "package.json").write_text(json.dumps({"version": version}))
    monkeypatch.setattr(build, "MODULES", modules)
    monkeypatch.setattr(build, "VENDOR", tmp_path / "vendor")
    assert build.main() == build.main() == 0
    assert {file.name for file in (tmp_path / "vendor").iterdir()} == set(build.FILES.values())


def test_without_npm_the_console_goes_without_charts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "MODULES", tmp_path)
    monkeypatch.setattr(build, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(build, "npm", lambda: None)
    assert build.main() == 0
    assert "without charts" in capsys.readouterr().err
    assert not (tmp_path / "vendor").exists()
