"""The progress bar of a run; nothing where nobody watches."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress


class Watch:
    """Shows how many bytes of all files were read. `show` False: does nothing."""

    def __init__(self, total_bytes: int, *, show: bool) -> None:
        self._progress: Progress | None = None
        self._done = 0
        if show:
            from rich import progress as bars
            from rich.console import Console

            self._progress = bars.Progress(
                bars.TextColumn("{task.description}"),
                bars.BarColumn(),
                bars.DownloadColumn(),
                bars.TimeRemainingColumn(),
                console=Console(file=sys.stderr),
                transient=True,
            )
            self._task = self._progress.add_task("", total=total_bytes)

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

    def at(self, name: str, reached: int) -> None:
        """So many bytes of the file under way were read."""
        if self._progress is not None:
            self._progress.update(self._task, description=name, completed=self._done + reached)

    def done(self, size: int) -> None:
        """The file under way, of that size, is finished."""
        self._done += size
