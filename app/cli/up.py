"""`sluice up`: everything in one process, and a console with examples."""

import argparse
from functools import partial

from app.cli.command import Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--no-examples", action="store_true", help="no example documents and no example records"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Runs until SIGTERM or SIGINT. Exit 2: the data directory or port is taken; 3: the stream
    can't be reached."""
    from app import examples
    from app.running import run_node
    from app.worker import ROLES

    beside = None if arguments.no_examples else partial(examples.run, clock=context.clock)
    return run_node(context.settings, ROLES, context.out, context.resolved.warnings, beside=beside)


COMMAND = Command("up", "start everything in one process, with a console", add_arguments, run)
