"""What goes wrong with a source's calls."""

from domain.errors import SluiceError


class CallFailed(SluiceError):
    """A call has used up its retries, or was refused. `status`: that of HTTP, if there was one.
    The text never holds a secret or a query: it is shown to people."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        self.detail = detail
        self.status = status
        super().__init__(detail)
