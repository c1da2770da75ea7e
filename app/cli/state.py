"""`sluice state`: backups of the keyed state of one worker, their way back, and the recount."""

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from app.cli.command import Command, Context, actions, run_chosen
from app.cli.http import Client
from app.state import backup
from app.state.backup import InUse, Manifest
from connectors.streams.base import DirectoryLocked, Log
from domain.errors import UsageError

LONGEST_S = 6 * 3600.0  # what copying the largest stream takes, and more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    folder = "the backup's folder, a new name"
    action("backup", "back up the state of a worker, running or not", _backup).add_argument(
        "folder", metavar="FOLDER", type=Path, help=folder
    )
    restored = action("restore", "put a backup back; the worker must be stopped", _restore)
    restored.add_argument("folder", metavar="FOLDER", type=Path)
    restored.add_argument(
        "--replace", action="store_true", help="put aside the state that is there"
    )
    verified = action("verify", "recount the totals; exit 1 when something is wrong", _verify)
    verified.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help="a backup; else the worker's state"
    )


def _backup(arguments: argparse.Namespace, context: Context) -> int:
    folder: Path = arguments.folder
    if folder.exists():
        raise UsageError(f"{folder} is there already; expected a new name")
    manifest = taken(context, folder, stream=True)
    size = sum(size for size, _ in manifest.files.values())
    if context.out.json:
        shards = manifest.numbers
        context.out.document({"folder": str(folder), "shards": shards, "bytes": size})
    else:
        context.out.text(f"{folder}: {of_shards(manifest.numbers)}, {size / (1 << 20):,.1f} MiB")
    return 0


def taken(context: Context, folder: Path, *, stream: bool) -> Manifest:
    """Makes a backup in `folder`: of the stopped worker here, or by asking the one that runs."""
    from app.cli.stream import on_stream
    from app.state import stopped

    settings, now_ms = context.settings, context.clock.now_ms()

    async def copy(log: Log) -> Manifest:
        return await stopped.back_up(folder, settings, log, now_ms, stream=stream)

    try:
        return on_stream(context, copy)
    except (DirectoryLocked, InUse):
        asked(context, folder, stream=stream)
        return backup.read(folder)


def asked(context: Context, folder: Path, *, stream: bool) -> None:
    """Has the running worker make a backup, and moves it to `folder`."""
    settings = context.settings
    client = Client(settings.server, settings.token, timeout_s=LONGEST_S)
    query = {"stream": "true" if stream else "false"}
    made = client.request("POST", "/api/state/backups", query=query).json()
    source = Path(made["folder"])
    if not source.is_relative_to(settings.data_dir.absolute()):
        raise UsageError(
            f"the worker at {settings.server} is not that of {settings.data_dir}; "
            f"its backup is at {source}",
            "--server and --data-dir must name the same worker",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(folder)
    except OSError:  # another disk
        part = backup.begin(folder)
        shutil.copytree(source, part, dirs_exist_ok=True)
        backup.sync(part)
        part.rename(folder)
        backup.remove(source)


def _restore(arguments: argparse.Namespace, context: Context) -> int:
    from app.state.restore import check, restore

    folder: Path = arguments.folder
    manifest = backup.read(folder)
    check(manifest, folder, context.settings)
    aside = restore(folder, manifest, context.settings, replace=arguments.replace)
    if context.out.json:
        shards, paths = manifest.numbers, [str(path) for path in aside]
        context.out.document({"shards": shards, "at": manifest.at, "aside": paths})
        return 0
    context.out.text(f"{of_shards(manifest.numbers)} as of {manifest.at} put back")
    for path in aside:
        context.out.note(f"what was there is now {path}; delete it when all is well")
    return 0


def _verify(arguments: argparse.Namespace, context: Context) -> int:
    from app.state.recount import Counted, counted

    folder: Path | None = arguments.folder
    if folder is not None:
        shards = asyncio.run(counted(folder, backup.read(folder)))
    else:
        copy = context.settings.data_dir / "backups" / f"verify-{uuid4().hex[:8]}"
        try:
            shards = asyncio.run(counted(copy, taken(context, copy, stream=False)))
        finally:
            backup.remove(copy)

    def as_json(one: Counted) -> dict[str, object]:
        return {
            "shard": one.number,
            "rows": one.rows,
            "open": one.open,
            "unsent": one.unsent,
            "totals": [totals.as_json(name) for name, totals in sorted(one.totals.items())],
            "faults": list(one.faults),
        }

    wrong = any(one.faults for one in shards)
    if context.out.json:
        context.out.document({"ok": not wrong, "shards": [as_json(one) for one in shards]})
        return 1 if wrong else 0
    context.out.table(
        ["shard", "rows", "open sessions", "not sent", ""],
        [
            [one.number, one.rows, one.open, one.unsent, "wrong" if one.faults else "adds up"]
            for one in shards
        ],
    )
    for one in shards:
        for fault in one.faults:
            context.out.note(f"shard {one.number}: {fault}")
    return 1 if wrong else 0


def of_shards(numbers: Sequence[int]) -> str:
    """The shards in words."""
    return f"shard{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


COMMAND = Command(
    "state", "back keyed state up, put it back, recount it", add_arguments, run_chosen
)
