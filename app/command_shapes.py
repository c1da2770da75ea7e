"""The shape in which the running system answers about operators' commands (see app/backend.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Commanded:
    """An operator's command: the open sessions it touched (`dry_run`: would touch), and how many
    records are in them. `done` False: there may be more. `position` is that of its message on
    `config`, where it was just given.

    Of an `erase`: `letters`, dead letters, and `source_records` on inputs; None where the stream
    can't erase those, and while it is not known.
    """

    id: str
    action: str
    aggregator: str
    dry_run: bool
    done: bool
    sessions: int
    records: int
    position: tuple[int, int] | None = None
    letters: int | None = None
    source_records: int | None = None
