"""Which commands there are: a name and the module whose `COMMAND` it is.

A module is imported when its command is asked for, so that no command pays for another one's
imports. A module that is not there is not offered.
"""

from importlib import import_module
from importlib.util import find_spec

from app.cli.command import Command

# command -> module, in the order of the help
MODULES: dict[str, str] = {
    "up": "app.cli.up",
    "worker": "app.cli.worker",
    "aggregate": "app.cli.aggregate",
    "config": "app.cli.config",
    "produce": "app.cli.produce",
    "consume": "app.cli.consume",
    "sessions": "app.cli.sessions",
    "dead-letters": "app.cli.dead_letters",
    "sinks": "app.cli.sinks",
    "erase": "app.cli.erase",
    "totals": "app.cli.totals",
    "campaigns": "app.cli.campaigns",
    "fdds": "app.cli.fdds",
    "metrics": "app.cli.metrics",
    "impressions": "app.cli.impressions",
    "sql": "app.cli.sql",
    "users": "app.cli.users",
    "tokens": "app.cli.tokens",
    "doctor": "app.cli.doctor",
    "topics": "app.cli.topics",
    "state": "app.cli.state",
    "clock": "app.cli.clock",
    "bench": "app.cli.bench",
}


def names() -> list[str]:
    """The commands that are offered."""
    return [name for name, module in MODULES.items() if find_spec(module) is not None]


def load(name: str) -> Command | None:
    """The command of that name, or None when there is none."""
    module = MODULES.get(name)
    if module is None or find_spec(module) is None:
        return None
    command = import_module(module).COMMAND
    if not isinstance(command, Command):
        raise TypeError(f"{module}.COMMAND is {command!r}, not a Command")
    return command
