"""`sluice impressions join|update`: rows get the metadata of their campaigns."""

import argparse
from dataclasses import asdict

from agents.impressions.dimension import needed, newest, read_source, take_dimension
from agents.impressions.joining import Joined, Planned, join, planned_update, update
from agents.impressions.source import Source
from agents.impressions.store import Store
from app.cli.command import Context
from app.cli.progress import Bar, watched
from app.impressions import source_at, tables_of
from config.settings import Settings
from domain.aggregation.instants import print_instant
from domain.errors import UsageError
from domain.impressions.dimension import History


def join_command(arguments: argparse.Namespace, context: Context) -> int:
    history = _history(arguments, context)
    with Bar("join", show=watched(context), sizes=True) as bar:
        joined = join(
            tables_of(context.settings), context.clock, history,
            lambda done, _: bar.at(done, None),
        )  # fmt: skip
    return _tell(context, joined)


def update_command(arguments: argparse.Namespace, context: Context) -> int:
    store = Store(tables_of(context.settings))
    if arguments.dry_run:
        return _dry_run(arguments, context, store)
    history = _history(arguments, context)
    shown = watched(context)
    total = planned_update(store, history).bytes if shown else None  # as long as to plan it twice
    with Bar("update", show=shown, sizes=True, total=total) as bar:
        joined = update(store.files, context.clock, history, lambda done, _: bar.at(done, total))
    return _tell(context, joined)


def _dry_run(arguments: argparse.Namespace, context: Context, store: Store) -> int:
    if arguments.dimension is None:
        history = needed(store)
    else:
        given, _, _ = read_source(_source(arguments.dimension, context.settings))
        history = newest(store).applied(given, print_instant(context.clock.now_ms()))
    planned = planned_update(store, history)
    if context.out.json:
        context.out.document(asdict(planned))
    else:
        context.out.text(f"would write {_said(planned)}")
    return 0


def _history(arguments: argparse.Namespace, context: Context) -> History:
    """The newest dimension, after the one given has been taken."""
    files = tables_of(context.settings)
    if arguments.dimension is None:
        return needed(Store(files))
    return take_dimension(files, context.clock, _source(arguments.dimension, context.settings))


def _source(address: str, settings: Settings) -> Source:
    source = source_at(address, settings)
    if source.files.stat(source.name) is None:
        raise UsageError(f"{source.address} is not there; expected a dimension file")
    return source


def _tell(context: Context, joined: Joined) -> int:
    if context.out.json:
        context.out.document({**asdict(joined), "written": asdict(joined.written)})
        return 0
    context.out.text(
        f"{joined.table} is at version {joined.version} with dimension {joined.dimension}: "
        f"{joined.rows:,} rows; written: {_said(joined.written)}"
    )
    if joined.unmatched:
        context.out.note(f"{joined.unmatched:,} rows are of campaigns not in the dimension")
    return 0


def _said(planned: Planned) -> str:
    return f"{planned.files:,} files of {planned.rows:,} rows, {planned.bytes / (1 << 20):,.1f} MiB"
