"""`sluice metrics`: figures from other systems, fetched, kept and told."""

import argparse

from app.cli import metric_digests, metric_query, metric_rebuild, metric_sources
from app.cli.command import Command, actions, run_chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    metric_sources.add_actions(action)
    metric_rebuild.add_actions(action)
    metric_query.add_actions(action)
    metric_digests.add_actions(action)


COMMAND = Command("metrics", "sources of figures, fetched and archived", add_arguments, run_chosen)
