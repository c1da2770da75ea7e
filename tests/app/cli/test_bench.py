"""`sluice bench` before it measures: names, systems, and what is wrong with them."""

import pytest

from app.cli.bench import MEASURES
from app.cli.main import main


def test_systems_of_several_benchmarks_are_listed_one_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "batch", "sessions", "--list"]) == 0
    assert capsys.readouterr().out.split() == ["sluice", "duckdb", "polars", "pandas", "sluice"]


@pytest.mark.parametrize("name", MEASURES)
def test_each_has_systems_of_which_sluice_is_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", name, "--list"]) == 0
    assert "sluice" in capsys.readouterr().out.split()


def test_a_system_that_one_of_them_lacks_is_told_before_the_first_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("it was measured")

    monkeypatch.setitem(MEASURES, "batch", refuse)
    assert main(["bench", "batch", "stream", "--systems", "duckdb"]) == 2
    told = capsys.readouterr().err
    assert "no system 'duckdb' in stream" in told and "kstreams" in told


@pytest.mark.parametrize(
    ("given", "told"), [([], "NAME"), (["streams"], "'streams'"), (["stream", "x"], "'x'")]
)
def test_a_benchmark_that_is_not_there_is_a_wrong_call(
    given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *given]) == 2
    assert told in capsys.readouterr().err
