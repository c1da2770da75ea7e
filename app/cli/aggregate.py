"""`sluice aggregate`: the batch stream, from files to flushed records."""

import argparse
from pathlib import Path

from app.cli.command import Command, Context
from domain.aggregation.instants import parse_instant
from domain.errors import UsageError

FORMATS = ("jsonl", "csv", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares files and flags."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="*", help="plain or .gz; - is standard input")
    add(
        "--config",
        metavar="AGG.yaml",
        action="append",
        required=True,
        help="aggregator documents; may be given several times",
    )
    add("--output", metavar="FILE", help="flushed records (default: standard output)")
    add("--state", metavar="DIR", help="sessions and files taken, kept from one run to the next")
    add("--preview", action="store_true", help="every session, due or not; nothing is changed")
    add("--now", metavar="INSTANT", help="the time of the run, as 2025-11-03T04:30:00Z")
    add(
        "--input-format",
        choices=FORMATS,
        help="what files hold (default: by their names; jsonl on standard input)",
    )
    add("--output-format", choices=FORMATS, default="jsonl", help="default: jsonl")
    add("--rejects", metavar="FILE", help="rejected records, as dead letters")
    add("--audit", metavar="FILE", help="sessions that were not updated for ttl_days")
    add("--strict", action="store_true", help="exit 1 when a record is rejected")
    add("--again", action="store_true", help="count files once more that were taken before")
    add(
        "--abandon",
        action="store_true",
        help="do not go on with files of a run that was killed",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """See `app/batch/run.py`."""
    from app.batch.command import execute
    from app.batch.options import Options

    now_ms = None
    if arguments.now is not None:
        now_ms = parse_instant(arguments.now)
        if now_ms is None:
            raise UsageError(
                f"--now {arguments.now} is no instant; expected one like 2025-11-03T04:30:00Z"
            )
    options = Options(
        config=tuple(arguments.config),
        files=tuple(arguments.files),
        output=arguments.output,
        output_format=arguments.output_format,
        input_format=arguments.input_format,
        state=None if arguments.state is None else Path(arguments.state),
        now_ms=now_ms,
        rejects=arguments.rejects,
        audit=arguments.audit,
        preview=arguments.preview,
        strict=arguments.strict,
        again=arguments.again,
        abandon=arguments.abandon,
    )
    return execute(options, context)


COMMAND = Command("aggregate", "aggregate files: the batch stream", add_arguments, run)
