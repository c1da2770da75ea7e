"""`sluice worker`: a Faust worker with some of the roles, or several of them."""

import argparse
import socket
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from app.cli.command import Command, Context
from domain.errors import UsageError

ROLES = (
    "route", "aggregate", "sinks", "campaigns", "execute", "retrigger", "metrics", "impressions",
    "console",
)  # fmt: skip
ALL = "all"
MOST = 256  # processes of one machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--role",
        required=True,
        metavar="ROLE[,ROLE]",
        help=f"what it does: {', '.join(ROLES)}, or {ALL} of them",
    )
    parser.add_argument(
        "--processes", metavar="N", help="run so many workers and keep them running"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Runs until SIGTERM or SIGINT. Exit 2: used wrong, or the data directory or port is taken;
    3: the stream can't be reached."""
    roles = roles_of(arguments.role)
    if arguments.processes is None:
        from app.running import run_node

        return run_node(
            context.settings,
            roles,
            context.out,
            context.resolved.warnings,
            instance_id=context.settings.instance or None,
        )
    return _supervise(roles, processes_of(arguments.processes), context)


def roles_of(text: str) -> tuple[str, ...]:
    """The roles that the text names. Raises UsageError."""
    named = [word.strip() for word in text.split(",")]
    for word in named:
        if word not in (*ROLES, ALL):
            raise UsageError(f"{word!r} is no role", f"there are {', '.join(ROLES)} and {ALL}")
    return ROLES if ALL in named else tuple(role for role in ROLES if role in named)


def processes_of(text: str) -> int:
    """How many processes. Raises UsageError."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST:
        raise UsageError(f"--processes {text} is not a whole number from 1 to {MOST}")
    return int(text)


def _supervise(roles: Sequence[str], count: int, context: Context) -> int:
    from app import logs
    from app.supervisor import Supervisor, starter

    settings = context.settings
    if not settings.brokers and count > 1:
        raise UsageError(
            "the embedded stream lives in one process",
            "set SLUICE_STREAM=kafka://… for more than one, or leave --processes out",
        )
    logs.set_up(settings)
    return Supervisor(count, starter(lambda number: child(roles, number, context))).run()


def child(roles: Sequence[str], number: int, context: Context) -> list[str]:
    """The command line of one child: as ours, with a folder, port and name of its own."""
    settings, flags = context.settings, context.flags
    port = settings.web_port + number if settings.web_port else 0
    name = settings.instance
    own = {
        "data_dir": str(settings.data_dir / f"worker-{number}"),
        "web_port": str(port),
        "instance": f"{name}-{number}" if name else instance(settings.data_dir, number),
    }
    words = ["worker", "--role", ",".join(roles)]
    for name, value in {**flags.values, **own}.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", value]
    if flags.settings_file is not None:
        words += ["--settings", str(flags.settings_file)]
    words += [word for word, on in (("--json", flags.json), ("--debug", flags.debug)) if on]
    return words


def instance(data_dir: Path, number: int) -> str:
    """A name in the consumer group that a restart keeps, and nobody else has."""
    folder = blake2b(str(data_dir.absolute()).encode(), digest_size=4).hexdigest()
    return f"{socket.gethostname()}-{folder}-{number}"


COMMAND = Command("worker", "start a worker with some of the roles, or several", add_arguments, run)
