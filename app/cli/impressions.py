"""`sluice impressions`: partition, join, update, and what is known about the tables."""

import argparse

from app.cli import impressions_figures, impressions_joins, impressions_loads
from app.cli.command import Command, Run, run_chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help: str, run: Run) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=run)
        return made

    impressions_loads.add_actions(action)
    impressions_joins.add_actions(action)
    impressions_figures.add_actions(action)


COMMAND = Command(
    "impressions", "partition, join and update files of ad impressions", add_arguments, run_chosen
)
"""Its `run` is that of the action."""
