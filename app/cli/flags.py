"""The flags that every command takes, before or after its name.

They are taken out of the arguments first; a command's own parser never sees them. There is one
flag for each setting (`--data-dir` for SLUICE_DATA_DIR), found in `config.settings`.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from app.cli.command import Flags
from domain.errors import UsageError

SWITCHES = {
    "--json": "results as one JSON document or JSON Lines",
    "--no-color": "no colour, as NO_COLOR",
    "--debug": "a traceback with every error",
}


def setting_flags() -> dict[str, str]:
    """Flag -> name of the setting's field."""
    from config.settings import Settings

    return {f"--{field.name.replace('_', '-')}": field.name for field in fields(Settings)}


def split(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[Flags, list[str]]:
    """The flags for everybody and what is left for the command.

    Everything after `--` is left alone. Raises UsageError for a flag without its value.
    """
    settings = setting_flags()
    seen: dict[str, str | None] = {}
    switches: set[str] = set()
    settings_file: Path | None = None
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += [word, *queue]
            break
        flag, equals, value = word.partition("=")
        if word in SWITCHES:
            switches.add(word)
        elif flag in settings or flag == "--settings":
            if not equals:
                if not queue:
                    raise UsageError(f"{flag} needs a value")
                value = queue.pop(0)
            if flag == "--settings":
                settings_file = Path(value)
            else:
                seen[settings[flag]] = value
        else:
            rest.append(word)
    flags = Flags(
        json="--json" in switches,
        debug="--debug" in switches,
        color="--no-color" not in switches and not environ.get("NO_COLOR"),
        settings_file=settings_file,
        values=seen,
    )
    return flags, rest


def settings_help() -> list[tuple[str, str]]:
    """(flag, what it sets) for the help."""
    from config.settings import Settings

    return [
        (f"--{field.name.replace('_', '-')}", str(field.metadata.get("help", "")))
        for field in fields(Settings)
    ]


def nearest(word: str, known: Sequence[str]) -> str:
    """ ", did you mean …?" for a mistyped word, or nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
