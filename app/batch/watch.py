"""The progress of a run over its files."""

from app.cli.progress import Bar


class Watch:
    """Shows how many bytes of all files were read; `bar` is the bar to enter."""

    def __init__(self, total_bytes: int, *, show: bool) -> None:
        self.bar = Bar("", show=show, total=total_bytes, sizes=True)
        self._done = 0

    def at(self, name: str, reached: int) -> None:
        """So many bytes of the file under way were read."""
        self.bar.at(self._done + reached, None, name)

    def done(self, size: int) -> None:
        """The file under way, of that size, is finished."""
        self._done += size
