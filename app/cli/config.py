"""`sluice config`: documents. Changing them is in `config_changes.py`."""

import argparse
import re
from collections.abc import Mapping
from typing import Any

from app.cli.command import Command, Context, actions, run_chosen
from domain.errors import SluiceError, UsageError

PAGE = 1_000


class NoVersion(SluiceError):
    """A version that the document never had (exit 1)."""

    def __init__(self, title: str, version: int, latest: int) -> None:
        super().__init__(f"{title} has no version {version}; its versions are 1 to {latest}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    apply = action("apply", "validate documents, all or none, and bring them into force", _apply)
    apply.add_argument("files", metavar="FILE", nargs="+", help="YAML or JSON; - is stdin")
    _add_change(apply)
    show = action("show", "show the documents in force, or one as YAML", _show)
    show.add_argument("title", metavar="KIND/NAME", nargs="?")
    show.add_argument("--version", metavar="N", type=version, help="an earlier version")
    diff = action("diff", "show what changed between two versions, or against a file", _diff)
    diff.add_argument("title", metavar="KIND/NAME")
    diff.add_argument("file", metavar="FILE", nargs="?", help="compare what is in force with it")
    diff.add_argument("--from", dest="older", metavar="N", type=version, help="default: the last")
    diff.add_argument("--to", dest="newer", metavar="N", type=version, help="default: the latest")
    history = action("history", "list the versions of a document", _history)
    history.add_argument("title", metavar="KIND/NAME")
    remove = action("remove", "take documents out of force", _remove)
    remove.add_argument("titles", metavar="KIND/NAME", nargs="+")
    _add_change(remove)
    check = action("validate", "say what is wrong in documents, without a server", _validate)
    check.add_argument("files", metavar="FILE", nargs="+", help="YAML or JSON; - is stdin")
    preview = action(
        "preview",
        "run records, or a topic's history, against a document; nothing is kept",
        _preview,
    )
    preview.add_argument("document", metavar="FILE", help="YAML or JSON with one document")
    preview.add_argument("records", metavar="RECORDS", nargs="?", help="JSON Lines; else stdin")
    preview.add_argument(
        "--since",
        metavar="WHEN",
        help="instead run what its input topic still has since then, on the server, beside what "
        "really happened: an instant, a time back (24h, 7d), an offset or `beginning`",
    )


def _add_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why, for the history")
    parser.add_argument("--no-wait", action="store_true", help="don't wait until in force")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=60.0,
        help="how long to wait until every live worker has it in force (default: 60)",
    )


def version(text: str) -> int:
    """A version: a whole number from 1."""
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a version; expected 1, 2, 3 …")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return float(text)


def _apply(arguments: argparse.Namespace, context: Context) -> int:
    from app.cli.config_changes import apply

    return apply(arguments, context)


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    from app.cli.config_changes import remove

    return remove(arguments, context)


def _validate(arguments: argparse.Namespace, context: Context) -> int:
    from app.cli.config_changes import validate

    return validate(arguments, context)


def _preview(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.since is not None:
        from app.cli.config_history import preview as what_if

        return what_if(arguments, context)
    from app.cli.config_preview import preview

    return preview(arguments, context)


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from app.cli.config_changes import place
    from app.cli.yaml_text import yaml_text

    out = context.out
    if arguments.title is None:
        if arguments.version is not None:
            raise UsageError("--version needs a KIND/NAME")
        items = context.client.items("/api/documents", {"limit": PAGE})
        if out.json:
            out.document({"items": items})
        else:
            rows = [[f"{i['kind']}/{i['name']}", i["version"], *_who(i)] for i in items]
            empty = "no document is in force; `sluice config apply FILE` applies one"
            out.table(["document", "version", "at", "by", "reason"], rows, empty)
            _tell_unread(context, items)
        return 0
    where = place(arguments.title)
    if arguments.version is None:
        found = context.client.get(where.path)
    else:
        found = _version(_versions(context, arguments.title), arguments.version)
    if out.json:
        out.document(found)
        return 0
    if found["document"] is None:
        out.note(f"{where.title} was removed with version {found['version']}")
        return 0
    _tell_unread(context, [found])
    by = f" by {found['actor']}" if found["actor"] else ""
    why = f": {found['reason']}" if found["reason"] else ""
    line = f"# {where.title} version {found['version']}, {found['at']}{by}{why}"
    out.text(" ".join(line.split()))
    out.text(yaml_text(found["document"]).rstrip("\n"))
    return 0


def _tell_unread(context: Context, items: list[dict[str, Any]]) -> None:
    for item in items:
        if item.get("out_of_service"):
            title = f"{item['kind']}/{item['name']} version {item['version']}"
            context.out.note(f"{title} is out of service: {item['out_of_service']}")


def _history(arguments: argparse.Namespace, context: Context) -> int:
    from config.documents.diff import diff

    items = _versions(context, arguments.title)
    if context.out.json:
        context.out.document({"items": items})
        return 0
    rows: list[list[object]] = []
    for index, item in enumerate(items):
        before = items[index + 1]["document"] if index + 1 < len(items) else None
        if item["document"] is None:
            what = "removed"
        elif before is None:
            what = "new"
        else:
            what = ", ".join(change.path for change in diff(before, item["document"])) or "same"
        rows.append([item["version"], *_who(item), what])
    context.out.table(["version", "at", "by", "reason", "changed"], rows)
    return 0


def _diff(arguments: argparse.Namespace, context: Context) -> int:
    from config.documents.diff import diff

    old, new = _sides(arguments, context)
    changes = diff(old, new)
    if context.out.json:
        context.out.document({"items": changes})
        return 0
    if not changes:
        context.out.text("no difference")
    for change in changes:
        _print_change(context, change.path, change.before, change.after)
    return 0


def _sides(
    arguments: argparse.Namespace, context: Context
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    from app.cli.config_changes import place
    from app.cli.document_files import valid

    if arguments.file is not None:
        if arguments.older is not None or arguments.newer is not None:
            raise UsageError("give a FILE or versions, not both")
        where = place(arguments.title)
        named = [d for d in valid([arguments.file], context.stdin) if d.title == where.title]
        if not named:
            raise UsageError(f"{arguments.file} holds no {where.title}")
        in_force = context.client.find(where.path)
        return (in_force or {}).get("document"), named[0].body
    items = _versions(context, arguments.title)
    newer = arguments.newer or items[0]["version"]
    older = arguments.older or newer - 1
    new = _version(items, newer)["document"]
    return (_version(items, older)["document"] if older else None), new


def _print_change(context: Context, path: str, before: Any, after: Any) -> None:
    import msgspec

    from config.documents.base import shown

    if before is not msgspec.UNSET:
        context.out.text(f"- {path}: {shown(before)}", "red")
    if after is not msgspec.UNSET:
        context.out.text(f"+ {path}: {shown(after)}", "green")


def _versions(context: Context, title: str) -> list[dict[str, Any]]:
    from app.cli.config_changes import place

    return context.client.items(f"{place(title).path}/versions", {"limit": PAGE})


def _version(items: list[dict[str, Any]], wanted: int) -> dict[str, Any]:
    for item in items:
        if item["version"] == wanted:
            return item
    latest = items[0]
    raise NoVersion(f"{latest['kind']}/{latest['name']}", wanted, latest["version"])


def _who(item: Mapping[str, Any]) -> list[object]:
    return [item["at"], item["actor"], item["reason"]]


COMMAND = Command(
    "config", "documents: apply, show, compare, validate, try", add_arguments, run_chosen
)
