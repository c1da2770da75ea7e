"""All checks of `sluice doctor`, in the order in which one would repair. Each looks at one thing,
changes nothing, and says what to do.
"""

from collections.abc import Iterator

from app.cli.command import Context
from app.doctor import broker, console
from app.doctor.check import Check
from app.doctor.folder import folder
from app.doctor.machine import machine
from app.doctor.server import serving
from app.doctor.stores import stores


def checks(context: Context) -> list[Check]:
    """See the module. May take some seconds for each server that doesn't answer."""
    found = [*settings(context), *machine(context), *folder(context.settings)]
    found += [*console.secrets(context.settings), *stores(context)]
    server = serving(context)
    stream = list(broker.stream(context, server.inputs, running=server.running))
    users = server.users
    told = (
        broker.told(context, running=server.running)
        if all(check.name != "stream" or check.state == "ok" for check in stream)
        else None
    )
    if told is not None:
        users = told.users if users is None else users
        stream += broker.workers(told.beats, trial=bool(context.settings.clock))
        stream += broker.erasures(told.erasings)
    return [*found, *stream, *console.exposure(context.settings, users), *server.checks]


def settings(context: Context) -> Iterator[Check]:
    """Remarks on the settings, such as variables that look mistyped."""
    if not context.resolved.warnings:
        yield Check("settings", "ok", "understood")
    for warning in context.resolved.warnings:
        yield Check("settings", "warning", warning, "correct the name, or unset it")
