"""What was run on a table, and how it ended: the last steps, newest last.

Kept beside the manifest, so that a step that failed and changed nothing is seen too. Written by who
has the table's lock.
"""

import msgspec

from connectors.files.base import Files
from domain.impressions.layout import folder

KEPT = 200


class StepRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run. `state`: `running`, `done`, `failed`, `interrupted` (killed; seen by the next one).
    `version`: that of the table afterwards. Times are instants; `file` is what was given."""

    step: str
    table: str
    state: str
    started: str
    finished: str = ""
    file: str = ""
    load: str = ""
    rows: int = 0
    rejected: int = 0
    files: int = 0
    bytes: int = 0
    version: int = 0
    problem: str = ""


def journal_name(table: str) -> str:
    """The file of a table's journal."""
    return f"{folder(table)}/steps.json"


def read_journal(files: Files, table: str) -> list[StepRecord]:
    """The last steps, newest last."""
    found = files.read(journal_name(table))
    return [] if found is None else msgspec.json.decode(found[0], type=list[StepRecord])


def begin(files: Files, record: StepRecord) -> None:
    """Adds a step that runs now. One that seemed to run before was interrupted."""
    before = [
        msgspec.structs.replace(one, state="interrupted") if one.state == "running" else one
        for one in read_journal(files, record.table)
    ]
    _write(files, record.table, [*before, record][-KEPT:])


def end(files: Files, record: StepRecord) -> None:
    """Says how the step ended that was begun last."""
    _write(files, record.table, [*read_journal(files, record.table)[:-1], record])


def _write(files: Files, table: str, records: list[StepRecord]) -> None:
    found = files.read(journal_name(table))
    files.swap(
        journal_name(table), msgspec.json.encode(records), None if found is None else found[1]
    )
