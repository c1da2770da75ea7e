"""Puts a batch run together, from its options to its exit code."""

import gc
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, BinaryIO

from app.batch import report
from app.batch.options import Options, documents_of
from app.batch.outputs import Outputs
from app.batch.run import Batch, Limits
from app.batch.state import open_store
from app.batch.takers import Takers
from app.batch.targets import Nowhere, Target, open_target
from app.batch.watch import Watch
from app.cli.command import Context
from app.cli.output import Output, binary
from connectors.formats.files import Source, identify
from domain.errors import Invariant

# Chunks are built and dropped by the thousand records, without cycles: looking for those more often
# costs a tenth of the run.
COLLECT_AFTER = (50_000, 20, 50)


def execute(
    options: Options, context: Context, on_step: Callable[[int], None] = lambda _step: None
) -> int:
    """Runs it; returns 0, or 1 with `strict` and rejected records. `on_step` is for tests that
    kill."""
    documents = documents_of(options, context.stdin)
    settings = context.settings
    limits = Limits(settings.max_record_bytes, settings.cache_rows)
    usual = gc.get_threshold()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sluice-") as folder,
            open_store(
                options.state,
                preview=options.preview,
                memory_bytes=settings.state_memory_bytes,
                scratch=Path(folder),
            ) as store,
        ):
            scratch = Path(folder)
            outputs = open_outputs(options, scratch)
            try:
                batch = Batch(options, documents, store, outputs, limits, on_step=on_step)
                batch.open(context.clock.now_ms)
                out = report.speaker(json=context.flags.json, color=context.flags.color)
                sources = look_through(batch.takers, options, context.stdin, scratch, out)
                planned = batch.plan(sources)
                total = sum(entry.source.size for entry in planned.entries)
                watch = Watch(total, show=sys.stderr.isatty() and not context.flags.json)
                with watch.bar:
                    finish(batch.run(planned, watch))
            except BaseException:
                outputs.abandon()
                raise
            rules = {name: batch.ledger.newest_rule(name) for name in batch.shard.totals}
            report.tell(batch.tally, batch.shard.totals, rules, outputs.count, out)
            for name, totals in batch.shard.totals.items():
                if not totals.balanced():
                    raise Invariant("control totals balance", f"aggregator {name}: {totals.count}")
            return 1 if options.strict and batch.tally.reasons else 0
    finally:
        gc.set_threshold(*usual)


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that has nothing to wait for: without a loop Ctrl-C comes at once."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise Invariant("a batch never waits", repr(coroutine))


def open_outputs(options: Options, scratch: Path) -> Outputs:
    """The targets; whatever is wrong with them shows before anything is counted."""

    def aside(name: str | None) -> Target:
        return open_target(name, "jsonl", stdout, scratch) if name is not None else Nowhere()

    flushed = open_target(options.output, options.output_format, stdout, scratch)
    return Outputs(flushed, aside(options.rejects), aside(options.audit))


def look_through(
    takers: Takers, options: Options, stdin: BinaryIO, scratch: Path, out: Output
) -> list[Source]:
    """All files, identified and found readable. Raises UsageError, InputError."""
    sources = []
    for name in options.files:
        source = identify(name, options.input_format, stdin, scratch)
        reader = takers.reader(source.format)
        reader.check(source)
        report.tell_missing(source.name, reader.missing(source), out)
        sources.append(source)
    return sources


def stdout() -> BinaryIO:
    """The bytes below standard output."""
    sys.stdout.flush()
    below = binary(sys.stdout)
    if below is None:
        raise Invariant("standard output takes bytes", repr(sys.stdout))
    return below
