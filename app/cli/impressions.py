"""`sluice impressions`: partition, join, update, and what is known about the tables.

What an action needs (Arrow, numpy) is imported when that action runs.
"""

import argparse
from importlib import import_module

from app.cli.command import Command, Context, Run, run_chosen
from domain.impressions.layout import BUCKETS, TABLES

LOADS, JOINS, FIGURES = (f"app.cli.impressions_{name}" for name in ("loads", "joins", "figures"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, module: str, help: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=_of(module, f"{name}_command"))
        return made

    loading = action("partition", LOADS, "load a file of impressions into FACT_PARTITIONED")
    loading.add_argument("file", metavar="FILE", help="a .csv.gz, or s3://bucket/key")
    loading.add_argument(
        "--date", metavar="D", default="", help="YYYY-MM-DD, for a file without that column"
    )
    loading.add_argument(
        "--layout", choices=["dated", "compat"], help="of an empty table (dated); later as it is"
    )
    loading.add_argument("--buckets", metavar="N", type=int, default=BUCKETS, help="(8)")
    loading.add_argument(
        "--replace", action="store_true", help="in place of what the same file held before"
    )
    joining = action("join", JOINS, "make FACT_JOINED of FACT_PARTITIONED and the dimension")
    updating = action("update", JOINS, "bring what was joined up to the newest dimension")
    for made in (joining, updating):
        made.add_argument(
            "dimension", metavar="DIMENSION", nargs="?",
            help="a .csv or .csv.gz with a header, or s3://bucket/key; else the newest version",
        )  # fmt: skip
    updating.add_argument(
        "--dry-run", action="store_true", help="say what it would write, and keep nothing"
    )
    verifying = action("verify", FIGURES, "read every file, count anew; exit 1 for a damaged one")
    told = action("status", FIGURES, "show loads, steps and figures as the manifests have them")
    for made in (verifying, told):
        made.add_argument(
            "table", metavar="TABLE", nargs="?", help=f"{', '.join(TABLES)} (all there are)"
        )
    undone = action("undo", LOADS, "take a load out again, of the joined tables too")
    undone.add_argument("load", metavar="LOAD", help="its id, as status shows it")


def _of(module: str, function: str) -> Run:
    def run(arguments: argparse.Namespace, context: Context) -> int:
        chosen: Run = getattr(import_module(module), function)
        return chosen(arguments, context)

    return run


COMMAND = Command(
    "impressions", "partition, join and update files of ad impressions", add_arguments, run_chosen
)
