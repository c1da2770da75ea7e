"""Lists that come by the page: how many, from where, and what is said when there are more."""

import argparse
import re

from app.cli.output import Output

MOST = 1_000  # what one answer of the server may hold


def add_paging(parser: argparse.ArgumentParser) -> None:
    """Declares --limit and --cursor."""
    parser.add_argument(
        "--limit", metavar="N", type=limit, default=100, help="how many, 1 to 1,000 (default: 100)"
    )
    parser.add_argument("--cursor", metavar="NEXT", help="`next` of the list before")


def limit(text: str) -> int:
    """How many items: 1 to 1,000."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST:,}")
    return int(text)


def page_query(arguments: argparse.Namespace) -> dict[str, object]:
    """The parameters of the address."""
    query: dict[str, object] = {"limit": arguments.limit}
    if arguments.cursor:
        query["cursor"] = arguments.cursor
    return query


def say_more(out: Output, next_cursor: str | None) -> None:
    """Tells people how to see what comes after this page."""
    if next_cursor:
        out.note(f"there are more: add --cursor {next_cursor}")
