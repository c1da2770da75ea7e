"""What a command is, and what it is given to work with."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from app.cli.output import Output

if TYPE_CHECKING:
    from app.cli.http import Client
    from config.clock import Clock
    from config.settings import Resolved, Settings


@dataclass(frozen=True)
class Flags:
    """The flags every command takes. `values` maps a setting's name to the text given."""

    json: bool = False
    debug: bool = False
    color: bool = True
    settings_file: Path | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)


class Context:
    """What a command works with: flags, settings, output, standard input.

    Settings are resolved when they are first asked for; that raises SettingsError.
    """

    def __init__(
        self,
        flags: Flags,
        out: Output,
        environ: Mapping[str, str] | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        self.flags = flags
        self.out = out
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.stdin: BinaryIO = sys.stdin.buffer if stdin is None else stdin

    @cached_property
    def resolved(self) -> "Resolved":
        from config.settings import resolve

        return resolve(self.flags.values, self.environ, self.flags.settings_file)

    @property
    def settings(self) -> "Settings":
        return self.resolved.settings

    @cached_property
    def clock(self) -> "Clock":
        from config.clock import clock_from

        return clock_from(self.settings)

    @cached_property
    def client(self) -> "Client":
        """Talks to the server that the settings name; connects with the first request."""
        from app.cli.http import Client

        return Client(self.settings.server, self.settings.token)


@dataclass(frozen=True)
class Command:
    """`run` returns the exit code: 0 done, 1 found wrong; 2 and 3 are raised as errors
    (UsageError, Unreachable). It may raise any SluiceError."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Context], int]


Run = Callable[[argparse.Namespace, Context], int]


def run_chosen(arguments: argparse.Namespace, context: Context) -> int:
    """`run` of a command with sub-commands that set `chosen=` as their parser's default."""
    chosen: Run = arguments.chosen
    return chosen(arguments, context)


Action = Callable[[str, str, Run], argparse.ArgumentParser]


def actions(parser: argparse.ArgumentParser) -> Action:
    """Sub-commands, one of which must be given: each call declares one by name, help and what runs
    it (see `run_chosen`), and returns its parser.
    """
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help: str, run: Run) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=run)
        return made

    return action
