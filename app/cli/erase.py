"""`sluice erase`: takes one account out of the sessions of an aggregator; counts stay."""

import argparse

from app.cli import session_commands
from app.cli.command import Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("aggregator", metavar="AGGREGATOR")
    parser.add_argument(
        "values",
        metavar="FIELD=VALUE",
        nargs="+",
        help='the account: JSON literals (5, true, "5") or text',
    )
    session_commands.add_arguments(parser, "erase")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Counts or erases; exit 1 when nothing is kept of the account."""
    return session_commands.act("erase", arguments, context)


COMMAND = Command(
    "erase", "erase what is kept of an account in sessions; counts stay", add_arguments, run
)
