"""Progress bars; nothing where nobody watches."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.cli.command import Context


def watched(context: "Context") -> bool:
    """Whether a person sees standard error."""
    return sys.stderr.isatty() and not context.out.json


class Bar:
    """Shows how much of all is done, in numbers or in `sizes` of bytes; `show` False: does
    nothing.
    """

    def __init__(
        self, what: str, *, show: bool, total: int | None = None, sizes: bool = False
    ) -> None:
        self._progress: Progress | None = None
        if show:
            from rich import progress as bars
            from rich.console import Console

            self._progress = bars.Progress(
                bars.TextColumn("{task.description}"),
                bars.BarColumn(),
                bars.DownloadColumn() if sizes else bars.MofNCompleteColumn(),
                bars.TimeRemainingColumn(),
                console=Console(file=sys.stderr),
                transient=True,
            )
            self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def at(self, done: int, total: int | None, what: str | None = None) -> None:
        """So much of so much is done; without `total` what was known of it stays."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, description=what)
