"""`sluice doctor`: checks what the product stands on, and says what to do."""

import argparse

from app.cli.command import Command, Context
from app.doctor.check import Check
from app.doctor.checks import checks
from config.settings import SETTINGS, SettingsError

STYLES = {"ok": "green", "warning": "yellow", "wrong": "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments: none."""


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when something is wrong; warnings alone are 0."""
    settings = settings_rows(context)
    found = checks(context) if settings else wrong_settings(context)
    wrong = any(check.state == "wrong" for check in found)
    if context.out.json:
        context.out.document(
            {
                "ok": not wrong,
                "settings": [
                    {"name": name, "variable": variable, "value": value, "origin": origin}
                    for name, variable, value, origin in settings
                ],
                "checks": [check._asdict() for check in found],
            }
        )
        return 1 if wrong else 0
    out = context.out
    if settings:
        out.table(["setting", "value", "from"], [[v, value, o] for _, v, value, o in settings])
        out.text()
    for check in found:
        out.text(f"{check.state:<8} {check.name}: {check.detail}", STYLES[check.state])
        if check.todo:
            out.text(f"{'':<8} → {check.todo}")
    out.text()
    count = sum(check.state == "wrong" for check in found)
    warnings = sum(check.state == "warning" for check in found)
    said = (
        "all is well"
        if not count
        else "one thing is wrong"
        if count == 1
        else (f"{count} things are wrong")
    )
    out.text(
        f"{said}{f', {warnings} to look at' if warnings else ''}",
        STYLES["wrong"] if count else "green",
    )
    return 1 if wrong else 0


def settings_rows(context: Context) -> list[tuple[str, str, str, str]]:
    """(name, variable, value, origin) of every setting, secrets masked; empty if they are wrong."""
    try:
        resolved = context.resolved
    except SettingsError:
        return []
    return [
        (name, setting.env, resolved.shown(name), resolved.origins[name])
        for name, setting in SETTINGS.items()
    ]


def wrong_settings(context: Context) -> list[Check]:
    """What is wrong with the settings; nothing else can be looked at then."""
    try:
        context.resolved  # noqa: B018 - resolved for its problems
    except SettingsError as error:
        return [
            Check(
                "settings",
                "wrong",
                f"{problem.name} is {problem.value!r} ({problem.origin})",
                f"set it to {problem.expected}",
            )
            for problem in error.problems
        ]
    return []


COMMAND = Command(
    "doctor",
    "check settings, stream, stores, topics, clock, disk; say what to do",
    add_arguments,
    run,
)
