"""What one look found."""

from typing import Literal, NamedTuple

from domain.errors import SluiceError

SKEW_S = 5.0
"""Between two clocks: such a difference shows in timeouts of a minute."""
State = Literal["ok", "warning", "wrong"]


class Check(NamedTuple):
    """What was found. `detail` says what and where; `todo` is empty when nothing needs to be done.

    `warning` stops nobody today; with `wrong` something doesn't work, or won't for long.
    """

    name: str
    state: State
    detail: str
    todo: str = ""


def one_line(error: SluiceError) -> str:
    """What an error says, on a line."""
    return "; ".join(str(error).splitlines())
