"""Reads operators' commands: control messages of `kind: command`.

    {"kind": "command", "name": ID, "id": ID, "action": "flush", "aggregator": NAME,
     "group": {...} or "filter": {...}, "due": INSTANT, "actor": WHO, "reason": WHY}

under the key command/ID. The action may stand under `command`, too, as in commands about campaigns.
Filters are written in the language of documents.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from config.documents import conditions, fields
from config.documents.base import MISSING, At, DocumentError, Section, nearest, section
from domain.aggregation.command import Action, Command, group_names
from domain.aggregation.document import OPERATIONS
from domain.aggregation.instants import parse_instant
from domain.aggregation.numbers import canonical
from domain.aggregation.rule import Rule
from domain.errors import Reject

KIND = "command"
ACTIONS: tuple[Action, ...] = get_args(Action)
REASON_MAX = 500
_INSTANT = 'an instant like "2024-09-03T10:15:00Z"'
_EITHER = "one of group and filter: which sessions are meant"


def read_command(
    message: Mapping[str, Any], rules: Sequence[Rule], *, dry: bool = False
) -> Command:
    """The command that a control message is. `rules`: all versions of its aggregator, oldest first.

    A `dry` one needs no reason. Raises DocumentError with all that is wrong.
    """
    at = At()
    if "action" not in message and "command" in message:
        renamed = {"command": "action"}
        message = {renamed.get(key, key): value for key, value in message.items()}
    parts = Section(message, at)
    for key in ("kind", "name", "letter"):  # the letter that a message is put on `config` again for
        parts.optional(key, _anything)
    name = parts.required("id", fields.text, "the command's id as text")
    action = parts.required("action", fields.choice(ACTIONS), nearest("", ACTIONS))
    aggregator = parts.required("aggregator", fields.name, "the name of an aggregator")
    actor = parts.optional("actor", fields.text)
    reason = _reason(parts, dry)
    group = parts.optional("group", _group(rules))
    filtered = parts.optional("filter", conditions.condition(_kinds(rules)))
    if parts.has("group") and parts.has("filter"):
        at.key("filter").refuse(message["filter"], "no `filter` beside `group`")
    if parts.has("filter") and action == "erase":
        at.key("filter").refuse(message["filter"], "`group`: what is erased is named by its values")
    if not parts.has("group") and not parts.has("filter"):
        at.refuse(MISSING, _EITHER)
    timed = action == "set-timeout"
    if timed and not parts.has("due"):
        at.key("due").refuse(MISSING, f"{_INSTANT}: when the sessions shall flush")
    due = parts.only_with("due", _due, timed or action is None, "with set-timeout")
    parts.close()
    if at.problems or name is None or action is None or aggregator is None:
        raise DocumentError(at.problems)
    asked = {key: message[key] for key in ("group", "filter", "due") if key in message}
    return Command(name, action, aggregator, group, filtered, due, actor or "", reason, asked)


def _reason(parts: Section, dry: bool) -> str:
    reason = parts.optional("reason", _anything)
    if isinstance(reason, str) and len(reason) <= REASON_MAX and (reason.strip() or dry):
        return reason.strip()
    if reason is not None or not dry:
        value = parts.data.get("reason", MISSING)
        expected = f"text of 1 to {REASON_MAX} characters: why, for the audit"
        parts.at.key("reason").refuse(value, expected)
    return ""


def _group(rules: Sequence[Rule]) -> Any:
    names = group_names(rules)

    def read(value: object, at: At) -> dict[str, Any] | None:
        parts = section(value, at, "a value for each of some group fields")
        if parts is None:
            return None
        if not parts.data:
            at.refuse(value, f"a value of at least one group field ({', '.join(names)})")
        for field, wanted in parts.data.items():
            place = at.key(field)
            if field not in names:
                place.refuse(wanted, f"a group field, {nearest(field, names)}")
            elif not _is_group_value(wanted):
                place.refuse(wanted, "text, a number, true, false or null")
        return dict(parts.data)

    return read


def _is_group_value(value: object) -> bool:
    if isinstance(value, list | dict | tuple):
        return False
    try:
        canonical(value)
    except Reject:
        return False
    return True


def _kinds(rules: Sequence[Rule]) -> conditions.KindOf:
    """Results are those of the newest version; group fields those of every one."""
    operations = rules[-1].document.aggregate if rules else ()
    results = {item.name: OPERATIONS[item.operation].kind for item in operations}
    return conditions.of_session(results, tuple(group_names(rules)), record=False)


def _due(value: object, at: At) -> int | None:
    found = parse_instant(value)
    if found is None:
        at.refuse(value, _INSTANT)
    return found


def _anything(value: object, _at: At) -> object:
    return value
