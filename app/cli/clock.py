"""`sluice clock`: shows the product's clock and moves a trial clock's file."""

import argparse
import re
from pathlib import Path

from app.cli.command import Command, Context, actions, run_chosen
from config.settings import Settings
from domain.errors import UsageError

UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[dhms])\s*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    action("show", "show what time it is", _show)
    put = action("set", "put the trial clock at an instant, where it stands", _set)
    put.add_argument("instant", metavar="INSTANT", type=instant, help="2025-11-03T04:30:00Z")
    on = action("advance", "move the trial clock on", _advance)
    on.add_argument("by", metavar="DURATION", type=duration, nargs="+", help="1h, 90s, 1d 2h 30m")
    go = action("run", "let the trial clock run from where it is", _run)
    go.add_argument(
        "speed", metavar="SPEED", type=speed, nargs="?", default=1.0, help="default: 1; 60: 60 fold"
    )


def instant(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 instant."""
    from domain.aggregation.instants import parse_instant

    found = parse_instant(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no instant; expected one like 2025-11-03T04:30:00Z"
        )
    return found


def duration(text: str) -> int:
    """Milliseconds of "1h30m", "90s", "1d 2h"."""
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected one like 1h, 90s, 1d")
    return round(sum(float(number) * UNITS_MS[unit] for number, unit in parts))


def speed(text: str) -> float:
    """How many seconds pass in a real one; 0 stands still."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; expected a number like 1 or 60")
    return float(text)


def file_of(settings: Settings) -> Path:
    """The trial clock's file. Raises UsageError when the settings name none."""
    if not settings.clock:
        raise UsageError(
            "no trial clock is set, and the system's can't be moved",
            "name its file with --clock FILE or SLUICE_CLOCK=trial:FILE, as the workers have it",
        )
    return Path(settings.clock.removeprefix("trial:"))


def _set(arguments: argparse.Namespace, context: Context) -> int:
    from config.clock import system_ms
    from config.trial_file import stand

    stand(file_of(context.settings), arguments.instant, system_ms())
    return _show(arguments, context)


def _advance(arguments: argparse.Namespace, context: Context) -> int:
    from config.clock import system_ms
    from config.trial_file import advance

    try:
        advance(file_of(context.settings), sum(arguments.by), system_ms())
    except OverflowError as error:
        raise UsageError("the clock can't go past the year 9999", "a shorter way") from error
    return _show(arguments, context)


def _run(arguments: argparse.Namespace, context: Context) -> int:
    from config.clock import system_ms
    from config.trial_file import run

    run(file_of(context.settings), arguments.speed, system_ms())
    return _show(arguments, context)


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from config.clock import system_ms
    from config.trial_file import read_line
    from domain.aggregation.instants import print_instant

    real_ms = system_ms()
    found: dict[str, object] = {"now": print_instant(real_ms), "trial": False}
    if context.settings.clock:
        file = file_of(context.settings)
        line = read_line(file)
        found = {
            "now": print_instant(line.at(real_ms)),
            "trial": True,
            "speed": int(line.speed) if line.speed.is_integer() else line.speed,
            "file": str(file),
        }
    if context.out.json:
        context.out.document(found)
    elif not found["trial"]:
        context.out.text(f"{found['now']}, the system's clock")
    else:
        pace = f"runs at speed {found['speed']}" if found["speed"] else "stands still"
        context.out.text(f"{found['now']}, trial clock of {found['file']}, {pace}")
    return 0


COMMAND = Command("clock", "show the clock, move a trial clock", add_arguments, run_chosen)
