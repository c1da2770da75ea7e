"""The pages of docs/reference, made from the code: settings, metrics, topics, dead letters."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from app.web.asyncapi import CHANNELS
from app.web.explanations import EXPLANATIONS
from app.web.metrics import METRICS
from config.settings import SETTINGS, Settings
from config.topics import DAY_MS, Topic, Topics
from domain.errors import Reason
from scripts.house import client

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
MADE = "<!-- Made from the code by scripts/docs: change it there. -->"


def settings() -> str:
    """Every setting with its variable, default and purpose."""
    rows = [
        (
            f"`{setting.env}`",
            f"`{_default(setting.default)}`" if _default(setting.default) else "",
            setting.help + (" (secret: hidden in output)" if setting.secret else ""),
        )
        for setting in SETTINGS.values()
    ]
    return _page(
        "Settings",
        "A flag (`--data-dir PATH` for `SLUICE_DATA_DIR`) wins over the environment, that over a\n"
        "variable that names a file with the value (`SLUICE_DATA_DIR_FILE`; only one of the two),\n"
        "that over `--settings FILE` (YAML, `data_dir: PATH`), that over the default. An empty\n"
        "value is the default. `sluice doctor` prints where each came from.",
        _table(("variable", "default", "what it is"), rows),
    )


def metrics() -> str:
    """Every metric with its type, unit, labels and meaning."""
    rows = [
        (f"`{name}`", metric.type, metric.unit, ", ".join(metric.labels), metric.help)
        for name, metric in METRICS.items()
    ]
    return _page(
        "Metrics",
        "`GET /metrics` of each worker, in Prometheus's text format. Each tells its own share:\n"
        "counts of all workers add up. Control totals and counts of records are part of the\n"
        "state and go on through a restart; other counters begin at 0 with the process.",
        _table(("metric", "type", "unit", "labels", "what it tells"), rows),
    )


def topics() -> str:
    """Every topic with how it is made."""
    made = Topics(Settings(app_id="<app>"))
    keys = {channel.name: channel.key for channel in CHANNELS}
    listed = (*made.all(), made.routes("<input>", 0))
    rows = [
        (
            f"`{topic.name}`",
            _partitions(topic),
            _kept(topic),
            keys.get(topic.name, ""),
            topic.purpose,
        )
        for topic in listed
    ]
    return _page(
        "Topics",
        "What the product makes when it is missing. `<app>` is `SLUICE_APP_ID`; the names of the\n"
        "others begin with `SLUICE_TOPIC_PREFIX`. Documents name further ones: each `input` is\n"
        "made as `usage` is, each `output.topic` as `aggregates` is. Timestamps are\n"
        "`LogAppendTime`, under a trial clock `CreateTime`. `sluice topics describe` compares\n"
        "with what is there.",
        _table(("topic", "partitions", "kept", "key", "holds"), rows),
    )


def dead_letters() -> str:
    """Every reason of a dead letter with what it means and what to do."""
    rows = [
        (f"`{reason}`", EXPLANATIONS[reason].means, EXPLANATIONS[reason].todo)
        for reason in get_args(Reason)
    ]
    return _page(
        "Reasons of dead letters",
        "A record that can't be applied goes to topic `dead-letters` with one of these reasons,\n"
        "and the stream goes on. `sluice dead-letters list` and the console show them.",
        _table(("reason", "means", "what to do"), rows),
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings,
    "metrics.md": metrics,
    "topics.md": topics,
    "dead-letters.md": dead_letters,
}


def stale(folder: Path = FOLDER) -> list[str]:
    """The names of the pages that are not what the code says."""
    return [name for name, made in PAGES.items() if _read(folder / name) != made()]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _partitions(topic: Topic) -> str:
    if topic.name.startswith("<app>-routes-"):
        return "those of the input"
    return "1" if topic.partitions == 1 else "`SLUICE_PARTITIONS`"


def _kept(topic: Topic) -> str:
    if topic.compact:
        return "latest of each key"
    return "for ever" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} days"


def _page(title: str, introduction: str, table: str) -> str:
    return f"{MADE}\n\n# {title}\n\n{introduction}\n\n{table}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main() -> int:
    """Writes the pages, or with --check exit 1 when one is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; say what is stale")
    found, code = stale(), client.stale()
    if parser.parse_args().check:
        for name in found:
            print(f"{FOLDER / name} is not current; scripts/docs writes it", file=sys.stderr)
        for name in code:
            print(f"{client.FOLDER / name} is not current; scripts/docs writes it", file=sys.stderr)
        return 1 if found or code else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in found:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote {FOLDER / name}")
    if code:
        client.write()
        print(f"wrote {client.FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
