"""The entry of `sluice`: finds the command, runs it, and turns what went wrong into words.

Exit codes: 0 done, 1 found wrong, 2 used wrong, 3 not reachable (and 130 after Ctrl-C).
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper

from app import VERSION
from app.cli import registry
from app.cli.command import Command, Context, Flags
from app.cli.flags import SWITCHES, nearest, settings_help, split
from app.cli.output import Output, discard_stdout
from app.cli.parser import Parser
from domain.errors import SluiceError, UsageError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command line and returns its exit code. Never raises."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    environ = os.environ if environ is None else environ
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without some character gets a "?"
            stream.reconfigure(errors="replace")
    flags, out = Flags(debug="--debug" in words), Output()
    try:
        flags, rest = split(words, environ)
        out = Output(json=flags.json, color=flags.color)
        code = dispatch(rest, flags, out, environ)
        out.flush()
    except BrokenPipeError:
        discard_stdout()  # whoever read us has had enough: nothing went wrong
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: told to the person
        return explain(error, out, flags.debug)
    return code


def dispatch(rest: Sequence[str], flags: Flags, out: Output, environ: Mapping[str, str]) -> int:
    """Runs the command that the first word names."""
    if not rest or rest[0] in ("-h", "--help", "help"):
        out.text(overview())
        return 0 if rest else 2
    if rest[0] == "--version":
        return version(out)
    command = registry.load(rest[0])
    if command is None:
        raise UsageError(unknown(rest[0]), "see `sluice --help`")
    parser = parser_of(command)
    try:
        parsed = parser.parse_args(rest[1:])
    except SystemExit as done:  # --help has been printed
        return int(done.code or 0)
    return command.run(parsed, Context(flags, out, environ))


def parser_of(command: Command) -> Parser:
    """The command's own parser, without the flags for everybody."""
    parser = Parser(
        prog=f"sluice {command.name}",
        description=command.help,
        epilog="Every command also takes the flags that `sluice --help` lists.",
    )
    command.add_arguments(parser)
    return parser


def explain(error: Exception, out: Output, debug: bool) -> int:
    """Says what went wrong in a few lines; returns the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, SluiceError):
        out.error(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        out.error(f"{error.filename}: {error.strerror}")
        return 2
    detail = f"{type(error).__name__}: {error}"
    out.error(f"something unforeseen happened ({detail})\n--debug shows where")
    return 1


def unknown(word: str) -> str:
    """What is said about a first word that is no command."""
    kind = "flag" if word.startswith("-") else "command"
    flags = [*SWITCHES, "--settings", "--version", *(flag for flag, _ in settings_help())]
    known = flags if kind == "flag" else registry.names()
    return f"there is no {kind} {word!r}{nearest(word, known)}"


def version(out: Output) -> int:
    """Prints the product's version."""
    if out.json:
        out.document({"version": VERSION})
    else:
        out.text(f"sluice {VERSION}")
    return 0


def overview() -> str:
    """The help of `sluice` itself."""
    lines = ["usage: sluice [FLAGS] COMMAND …", "", "commands:"]
    for name in registry.names():
        command = registry.load(name)
        if command is not None:
            lines.append(f"  {name:<14}{command.help}")
    lines += ["", "flags of every command, before or after its name:"]
    lines += [f"  {flag:<28}{text}" for flag, text in SWITCHES.items()]
    lines += [f"  {'--settings FILE':<28}settings from a YAML file", "  --version"]
    lines += ["", "a flag for each setting (else SLUICE_…, else the file, else the default):"]
    lines += [f"  {flag:<28}{text}" for flag, text in settings_help()]
    lines += ["", "exit codes: 0 done, 1 found wrong, 2 used wrong, 3 not reachable"]
    return "\n".join(lines)
