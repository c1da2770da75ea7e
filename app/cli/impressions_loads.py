"""`sluice impressions partition|undo`: a file comes into FACT_PARTITIONED, and out again."""

import argparse
import re
from datetime import date

import msgspec

from agents.impressions.joining import follow
from agents.impressions.load import Loaded, Options, load_file, undo_load
from agents.impressions.store import Store
from app.cli.command import Context
from app.cli.progress import Bar, watched
from app.impressions import source_at, tables_of
from domain.errors import UsageError
from domain.impressions.layout import PARTITIONED
from domain.impressions.rows import read_date

MOST_BUCKETS = 1024


def partition_command(arguments: argparse.Namespace, context: Context) -> int:
    if not 1 <= arguments.buckets <= MOST_BUCKETS:
        raise UsageError(f"--buckets {arguments.buckets}: expected 1 to {MOST_BUCKETS}")
    options = Options(
        arguments.layout, arguments.buckets, _day(arguments.date), arguments.replace,
        context.settings.max_unzipped_bytes,
    )  # fmt: skip
    source = source_at(arguments.file, context.settings)
    found = source.files.stat(source.name)
    if found is None:
        raise UsageError(f"{source.address} is not there; expected a file of impressions")
    with Bar("partition", show=watched(context), total=found.size, sizes=True) as bar:
        loaded = load_file(
            tables_of(context.settings), context.clock, source, options,
            lambda done, _: bar.at(done, found.size),
        )  # fmt: skip
    _tell(context, loaded)
    return 0


def undo_command(arguments: argparse.Namespace, context: Context) -> int:
    files = tables_of(context.settings)
    undone = undo_load(files, context.clock, arguments.load)
    if undone is None:
        manifest, _ = Store(files).manifest(PARTITIONED)
        load = next(one for one in manifest.loads if one.load == arguments.load)
        undone = Loaded(load, manifest.version, 0, False)
    follow(files, context.clock)
    _tell(context, undone)
    return 0


def _tell(context: Context, loaded: Loaded) -> None:
    load = loaded.load
    if context.out.json:
        context.out.document(
            {"table": PARTITIONED, "version": loaded.version, "changed": loaded.changed,
             "written": loaded.files, **msgspec.to_builtins(load)}
        )  # fmt: skip
        return
    if not loaded.changed:
        context.out.text(f"load {load.load} is {load.state} already; nothing has changed")
        return
    context.out.text(
        f"load {load.load} {load.state}: {load.rows:,} rows, {loaded.files:,} files written; "
        f"{PARTITIONED} is at version {loaded.version}"
    )
    if load.rejected:
        context.out.note(f"{load.rejected:,} rows were refused: {load.rejects}")


def _day(text: str) -> str:
    """ISO, from that or from MM/DD/YYYY."""
    if not text:
        return ""
    found = read_date(text.encode())
    if found is None and re.fullmatch(r"[0-9]{4}-\d{2}-\d{2}", text):
        try:
            found = date.fromisoformat(text).isoformat()
        except ValueError:
            found = None
    if found is None:
        raise UsageError(f"--date {text} is no day; expected one like 2025-11-03")
    return found
