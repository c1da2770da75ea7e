"""The pages of docs/reference say what the code says."""

from pathlib import Path

from scripts.house.reference import FOLDER, PAGES, stale


def test_the_pages_are_current() -> None:
    assert stale() == [], "scripts/docs writes them anew"


def test_no_other_page_is_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


def test_a_page_that_differs_is_stale(tmp_path: Path) -> None:
    for name, made in PAGES.items():
        (tmp_path / name).write_text(made() + "more\n" if name == "metrics.md" else made())
    assert stale(tmp_path) == ["metrics.md"]
    (tmp_path / "topics.md").unlink()
    assert stale(tmp_path) == ["metrics.md", "topics.md"]
