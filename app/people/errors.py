"""Why people and tokens can't be changed so."""

from domain.errors import SluiceError


class BadPerson(SluiceError):
    """Something about a user or token is not what it can be (422). `path` says what."""

    def __init__(self, path: str, value: str, expected: str) -> None:
        self.path, self.value, self.expected = path, value, expected
        shown = f" is {value!r}," if value else ":"
        super().__init__(f"{path}{shown} expected {expected}")


class NotNow(SluiceError):
    """As things stand it can't be done (409)."""


class NoSuchPerson(SluiceError):
    """There is no such user, token or session (404)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}")


class TooManyTries(SluiceError):
    """Too many wrong passwords (429)."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        minutes = -(-retry_after_s // 60)
        wait = "1 minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(f"there were too many wrong passwords; try again in {wait}")


class WrongPassword(SluiceError):
    """The name or the password is wrong (401); which of the two is not said."""

    def __init__(self, what: str = "the name or the password") -> None:
        super().__init__(f"{what} is wrong")
